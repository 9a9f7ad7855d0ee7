package io.kvbm.transfer;

import java.util.Map;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.storage.StorageType;

import static org.assertj.core.api.Assertions.assertThat;

class TransferStrategyTest {

    private static final Map<String, StorageType> TYPES = Map.of("System", new StorageType.System(), "Pinned",
            new StorageType.Pinned(), "Device", new StorageType.Device(0), "Nixl", new StorageType.Nixl(), "Null",
            new StorageType.Null());

    private static StorageType type(String name) {
        StorageType type = TYPES.get(name);
        assertThat(type).as(name).isNotNull();
        return java.util.Objects.requireNonNull(type);
    }

    @ParameterizedTest
    @DisplayName("T13, T14: the write table")
    @CsvSource({"System, System, MEMCPY", "System, Pinned, MEMCPY", "System, Device, CUDA_BLOCKING_H2D",
        "System, Nixl, NIXL_WRITE", "Pinned, System, MEMCPY", "Pinned, Pinned, MEMCPY",
        "Pinned, Device, CUDA_ASYNC_H2D", "Pinned, Nixl, NIXL_WRITE", "Device, System, CUDA_BLOCKING_D2H",
        "Device, Pinned, CUDA_ASYNC_D2H", "Device, Device, CUDA_ASYNC_D2D", "Device, Nixl, NIXL_WRITE",
        "Nixl, System, INVALID", "Nixl, Pinned, INVALID", "Nixl, Device, INVALID", "Nixl, Nixl, INVALID",
        "Null, System, INVALID", "Null, Pinned, INVALID", "Null, Device, INVALID", "Null, Nixl, INVALID",
        "Null, Null, INVALID", "System, Null, INVALID", "Pinned, Null, INVALID", "Device, Null, INVALID",
        "Nixl, Null, INVALID"})
    void write(String source, String destination, TransferStrategy expected) {
        assertThat(TransferStrategy.write(type(source), type(destination))).isEqualTo(expected);
    }

    @ParameterizedTest
    @DisplayName("T15: the read table")
    @CsvSource({"System, System, MEMCPY", "System, Pinned, MEMCPY", "System, Device, CUDA_BLOCKING_D2H",
        "System, Nixl, NIXL_READ", "Pinned, System, MEMCPY", "Pinned, Pinned, MEMCPY",
        "Pinned, Device, CUDA_ASYNC_D2H", "Pinned, Nixl, NIXL_READ", "Device, System, CUDA_BLOCKING_H2D",
        "Device, Pinned, CUDA_ASYNC_H2D", "Device, Device, CUDA_ASYNC_D2D", "Device, Nixl, NIXL_READ",
        "Nixl, System, INVALID", "Nixl, Pinned, INVALID", "Nixl, Device, INVALID", "Nixl, Nixl, INVALID",
        "Null, System, INVALID", "Null, Pinned, INVALID", "Null, Device, INVALID", "Null, Nixl, INVALID",
        "Null, Null, INVALID", "System, Null, INVALID", "Pinned, Null, INVALID", "Device, Null, INVALID",
        "Nixl, Null, INVALID"})
    void read(String reader, String source, TransferStrategy expected) {
        assertThat(TransferStrategy.read(type(reader), type(source))).isEqualTo(expected);
    }

    @Test
    void devicesAreNotToldApart() {
        assertThat(TransferStrategy.write(new StorageType.Device(0), new StorageType.Device(1)))
                .isEqualTo(TransferStrategy.CUDA_ASYNC_D2D);
    }
}
