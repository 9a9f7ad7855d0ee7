package io.kvbm.storage;

import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.kvbm.error.StorageException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class StorageTypeTest {

    @Test
    void kindsAreEqualByValue() {
        assertThat(new StorageType.Device(1)).isEqualTo(new StorageType.Device(1))
                .isNotEqualTo(
                        new StorageType.Device(0));
        assertThat(new StorageType.System()).isEqualTo(new StorageType.System())
                .isNotEqualTo(
                        new StorageType.Pinned());
        assertThat(new StorageType.Null()).isNotEqualTo(new StorageType.Nixl());
    }

    @Test
    void levelsAndTheirTiers() {
        assertThat(CacheLevel.values()).extracting(CacheLevel::tier)
                .containsExactly("device", "host", "disk",
                        "remote");
    }

    @Test
    void nullStorageHasAddressesAndNoMemory() {
        try (NullStorage storage = NullStorage.ofSize(7280)) {
            assertThat(storage.address()).isZero();
            assertThat(storage.size()).isEqualTo(7280);
            assertThat(storage.type()).isEqualTo(new StorageType.Null());
            List<Long> told = new ArrayList<>();
            storage.onReserved(told::add);
            assertThat(told).containsExactly(7280L);
            assertThat(storage.reserved().toCompletableFuture()).isCompleted();
            assertThatThrownBy(storage::segment).hasMessageContaining("7280 bytes")
                    .asInstanceOf(type(StorageException.class))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.NOT_ACCESSIBLE));
        }
    }
}
