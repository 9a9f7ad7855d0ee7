package io.kvbm.storage;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.kvbm.error.StorageException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class RegistrationsTest {

    private final HostStorage storage = HostAllocator.create().allocate(64);
    private final List<String> released = new ArrayList<>();

    private void register(String key) {
        storage.registrations().register(key, () -> () -> released.add(key));
    }

    @Test
    void aTakenKeyIsRefusedBeforeAnythingIsRegistered() {
        register("nixl");
        List<String> ran = new ArrayList<>();
        assertThatThrownBy(() -> storage.registrations().register("nixl", () -> {
            ran.add("ran");
            return () -> {};
        })).hasMessageContaining("nixl")
                .asInstanceOf(type(StorageException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.REGISTRATION_KEY_EXISTS));
        assertThat(ran).isEmpty();
        storage.close();
        assertThat(released).containsExactly("nixl");
    }

    @Test
    void registrationsAreReleasedLastFirstWhileTheMemoryIsThere() {
        register("a");
        register("b");
        storage.registrations().register("c", () -> () -> {
            storage.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
            released.add("c");
        });
        storage.close();
        storage.close();
        assertThat(released).containsExactly("c", "b", "a");
    }

    @Test
    void oneThatFailsDoesNotKeepTheOthersNorTheMemory() {
        register("a");
        storage.registrations().register("b", () -> () -> {
            throw new IllegalStateException("b");
        });
        register("c");
        storage.registrations().register("d", () -> () -> {
            throw new IllegalStateException("d");
        });
        assertThatThrownBy(storage::close).hasMessage("d")
                .satisfies(e -> assertThat(e.getSuppressed()).singleElement()
                        .satisfies(s -> assertThat(s).hasMessage("b")));
        assertThat(released).containsExactly("c", "a");
        assertThat(storage.segment().scope().isAlive()).isFalse();
        storage.close();
    }

    @Test
    void aRegistrationThatFailsLeavesTheKeyFree() {
        assertThatThrownBy(() -> storage.registrations().register("k", () -> {
            throw new IllegalStateException("no");
        })).hasMessage("no");
        assertThat(storage.registrations().isRegistered("k")).isFalse();
        register("k");
        assertThat(storage.registrations().isRegistered("k")).isTrue();
        storage.close();
    }

    @Test
    void aHandleIsFoundByItsKeyOnly() {
        RegistrationHandle handle = () -> released.add("k");
        storage.registrations().register("k", () -> handle);
        assertThat(storage.registrations().handle("k")).isSameAs(handle);
        assertThatThrownBy(() -> storage.registrations().handle("l")).hasMessageContaining("under l")
                .asInstanceOf(type(StorageException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.HANDLE_NOT_FOUND));
        storage.close();
    }

    @Test
    void nothingIsRegisteredAfterClose() {
        storage.close();
        assertThatThrownBy(() -> register("k")).hasMessageContaining("closed")
                .asInstanceOf(type(StorageException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.OPERATION_FAILED));
    }
}
