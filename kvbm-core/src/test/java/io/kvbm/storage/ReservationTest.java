package io.kvbm.storage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.kvbm.error.StorageException;

import static org.assertj.core.api.Assertions.assertThat;

class ReservationTest {

    private static final long PIECE = 32L << 20;

    @TempDir
    Path noLimits;

    MemoryLimits limits;

    @BeforeEach
    void limits() {
        limits = new MemoryLimits(noLimits);
    }

    private Reservation reservation(long size, Reservation.Backing backing) {
        return new Reservation(size, backing, limits.promise(size));
    }

    @Test
    void piecesCoverTheWholeOnceAndInOrder() {
        List<Long> offsets = new ArrayList<>();
        List<Long> told = new ArrayList<>();
        Reservation reservation = reservation(2 * PIECE + 5, (offset, size) -> offsets.add(offset + size));
        reservation.onReserved(told::add);
        reservation.run();
        assertThat(offsets).containsExactly(PIECE, 2 * PIECE, 2 * PIECE + 5);
        assertThat(told).containsExactly(0L, PIECE, 2 * PIECE, 2 * PIECE + 5);
        assertThat(reservation.done().toCompletableFuture()).isCompleted();
    }

    @Test
    void aRefusalEndsItAndKeepsWhatIsThere() {
        Reservation reservation = reservation(3 * PIECE, (offset, _) -> {
            if (offset == PIECE) {
                throw new StorageException(StorageException.Kind.ALLOCATION_FAILED, "no more");
            }
        });
        reservation.run();
        assertThat(reservation.reserved()).isEqualTo(PIECE);
        assertThat(reservation.done().toCompletableFuture()).isCompletedExceptionally();
        assertThat(reservation.done().toCompletableFuture().exceptionNow()).hasMessage("no more");
    }

    @Test
    void anUnexpectedErrorCompletesTheStageToo() {
        Reservation backing = reservation(PIECE, (_, _) -> {
            throw new IllegalStateException("broken");
        });
        backing.run();
        assertThat(backing.done().toCompletableFuture().exceptionNow()).hasMessage("broken");
        Reservation listener = reservation(PIECE, (_, _) -> {});
        listener.onReserved(bytes -> {
            if (bytes > 0) {
                throw new IllegalArgumentException("listener");
            }
        });
        listener.run();
        assertThat(listener.done().toCompletableFuture().exceptionNow()).hasMessage("listener");
    }

    @Test
    void nothingIsToldAfterStop() {
        List<Long> told = new ArrayList<>();
        Reservation[] self = new Reservation[1];
        self[0] = reservation(4 * PIECE, (offset, _) -> {
            if (offset == PIECE) {
                self[0].stop();
            }
        });
        self[0].onReserved(told::add);
        self[0].run();
        assertThat(told).containsExactly(0L, PIECE);
        assertThat(self[0].reserved()).isEqualTo(2 * PIECE);
        assertThat(self[0].done().toCompletableFuture().exceptionNow()).hasMessageContaining("closed");
    }

    @Test
    void aListenerIsToldOneNumberAtATimeAndNoOlderOneAfterANewerOne() throws Exception {
        Reservation reservation = reservation(4 * PIECE, (_, _) -> {});
        List<Long> told = new ArrayList<>();
        AtomicInteger inside = new AtomicInteger();
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch second = new CountDownLatch(1);
        Thread reserver = Thread.ofPlatform().unstarted(reservation::run);
        Thread late = Thread.ofPlatform().start(() -> reservation.onReserved(bytes -> {
            assertThat(inside.incrementAndGet()).isOne();
            told.add(bytes);
            if (bytes == 0) {
                first.countDown();
                awaitBriefly(second);
            } else {
                second.countDown();
            }
            inside.decrementAndGet();
        }));
        first.await();
        reserver.start();
        reserver.join();
        late.join();
        assertThat(reservation.done().toCompletableFuture()).isCompleted();
        assertThat(told).containsExactly(0L, PIECE, 2 * PIECE, 3 * PIECE, 4 * PIECE);
    }

    private static void awaitBriefly(CountDownLatch latch) {
        try {
            assertThat(latch.await(100, TimeUnit.MILLISECONDS)).isFalse();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void promisesEndWithTheReservationHoweverItEnds() throws Exception {
        Path meminfo = noLimits.resolve("proc/meminfo");
        java.nio.file.Files.createDirectories(meminfo.getParent());
        java.nio.file.Files.writeString(meminfo, "MemAvailable: " + 4 * (PIECE >> 10) + " kB\n");
        Reservation whole = reservation(3 * PIECE, (_, _) -> {});
        assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> limits.promise(2 * PIECE)))
                .hasMessageContaining(2 * PIECE + " bytes")
                .hasMessageContaining(PIECE + " are available");
        whole.run();
        limits.promise(4 * PIECE).close();
        reservation(3 * PIECE, (_, _) -> {
            throw new StorageException(StorageException.Kind.ALLOCATION_FAILED, "no more");
        }).run();
        limits.promise(4 * PIECE).close();
        Reservation stopped = reservation(3 * PIECE, (_, _) -> {});
        stopped.stop();
        stopped.run();
        MemoryLimits.Promise last = limits.promise(4 * PIECE);
        last.close();
        last.close();
        limits.promise(4 * PIECE).close();
    }
}
