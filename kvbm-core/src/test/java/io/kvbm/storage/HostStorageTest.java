package io.kvbm.storage;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.StorageException;
import io.kvbm.testing.ProcessTable;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;
import static org.awaitility.Awaitility.await;

@EnabledOnOs(OS.LINUX)
class HostStorageTest {

    private static final long MIB = 1L << 20;
    private static final int EPERM = 1;

    @TempDir
    Path empty;

    private static Path descriptor(HostStorage storage) {
        return Path.of("/proc/self/fd/" + storage.fileDescriptor().orElseThrow());
    }

    private static void assertKind(StorageException.Kind kind, String part,
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call).hasMessageContaining(part)
                .asInstanceOf(type(StorageException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    @Test
    void theReservingThreadGoesBehindAllOthers() throws Exception {
        AtomicReference<String> priority = new AtomicReference<>("");
        try (HostStorage storage = HostAllocator.builder().backgroundFrom(1).build().allocate(256L << 20)) {
            storage.onReserved(_ -> {
                if (Thread.currentThread().getName().equals("kvbm-reserve")) {
                    priority.set(niceOfThisThread());
                }
            });
            storage.reserved().toCompletableFuture().join();
        }
        assertThat(priority.get()).isEqualTo("19");
    }

    /** Field 19 of the thread's statistics; the name before it is in parentheses and may hold blanks. */
    private static String niceOfThisThread() {
        try {
            String statistics = Files.readString(Path.of("/proc/thread-self/stat"));
            return statistics.substring(statistics.lastIndexOf(')') + 2).split(" ", -1)[16];
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void theMemoryIsSealedAgainstEverythingButItsOwner() {
        Libc libc = Libc.find().orElseThrow();
        try (HostStorage storage = HostAllocator.create().allocate(MIB)) {
            int fd = storage.fileDescriptor().orElseThrow();
            int seals = Libc.F_SEAL_SEAL | Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_FUTURE_WRITE;
            assertThat(libc.fcntl(fd, Libc.F_GET_SEALS, 0).value()).isEqualTo(seals);
            assertThat(libc.ftruncate(fd, MIB / 2).errno()).isEqualTo(EPERM);
            assertThat(libc.ftruncate(fd, MIB * 2).errno()).isEqualTo(EPERM);
            assertThat(libc.addSeals(fd, 8).errno()).isEqualTo(EPERM);
            assertThat(libc.mapShared(fd, MIB).errno()).isEqualTo(EPERM);
            storage.segment().set(ValueLayout.JAVA_LONG, MIB - 8, 42);
            assertThat(storage.segment().get(ValueLayout.JAVA_LONG, MIB - 8)).isEqualTo(42);
        }
    }

    @Test
    void anotherMappingReadsTheBytesAndCannotWriteThem() throws IOException {
        try (HostStorage storage = HostAllocator.create().allocate(MIB + 5); Arena arena = Arena.ofConfined()) {
            storage.fill((byte) 7, MIB, 5);
            try (FileChannel channel = FileChannel.open(descriptor(storage), StandardOpenOption.READ)) {
                assertThat(channel.size()).isEqualTo(MIB + 5);
                MemorySegment seen = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
                assertThat(seen.get(ValueLayout.JAVA_BYTE, MIB + 4)).isEqualTo((byte) 7);
                storage.fill((byte) 8, MIB, 5);
                assertThat(seen.get(ValueLayout.JAVA_BYTE, MIB + 4)).isEqualTo((byte) 8);
            }
            try (FileChannel channel = FileChannel.open(descriptor(storage), StandardOpenOption.READ,
                    StandardOpenOption.WRITE)) {
                assertThatThrownBy(() -> channel.map(MapMode.READ_WRITE, 0, MIB, arena))
                        .isInstanceOf(IOException.class);
                assertThatThrownBy(() -> channel.write(java.nio.ByteBuffer.allocate(1), 0))
                        .isInstanceOf(IOException.class);
                assertThatThrownBy(() -> channel.truncate(0)).isInstanceOf(IOException.class);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void newMemoryIsZeroAndDescribesItself(boolean shared) {
        try (HostStorage storage = HostAllocator.builder().shared(shared).build().allocate(100_001)) {
            assertThat(storage.size()).isEqualTo(100_001);
            assertThat(storage.segment().byteSize()).isEqualTo(100_001);
            assertThat(storage.type()).isEqualTo(new StorageType.System());
            assertThat(storage.address()).isEqualTo(storage.segment().address());
            assertThat(storage.reservedBytes()).isEqualTo(100_001);
            assertThat(storage.reserved().toCompletableFuture()).isCompleted();
            assertThat(storage.fileDescriptor().isPresent()).isEqualTo(shared);
            assertThat(storage.segment().mismatch(MemorySegment.ofArray(new byte[100_001]))).isEqualTo(-1);
            assertThat(storage).hasToString("HostStorage[100001 bytes, " + (shared ? "shared" : "private") + ", pages "
                    + storage.hugePages() + "]");
        }
    }

    @Test
    @DisplayName("without sharing, memory is private, reserved at once, and uses no descriptor")
    void privateMemory() throws IOException {
        HostAllocator allocator = HostAllocator.builder().name("kvbm-private").shared(false).backgroundFrom(1).build();
        try (HostStorage storage = allocator.allocate(3 * MIB)) {
            assertThat(storage.reserved().toCompletableFuture()).isCompleted();
            assertThat(storage.hugePages()).isEqualTo(HugePages.NONE);
            assertThat(ProcessTable.descriptors("kvbm-private")).isZero();
            storage.fill((byte) 1, 0, 3 * MIB);
        }
    }

    @ParameterizedTest
    @DisplayName("D33: a fill that leaves the memory is refused, also where its end overflows")
    @CsvSource({"0, 101", "100, 1", "-1, 1", "0, -1", "101, 0", "1, 9223372036854775807", "9223372036854775807, 1",
        "9223372036854775807, 9223372036854775807", "-9223372036854775808, 1", "50, -9223372036854775808"})
    void fillBounds(long offset, long size) {
        try (HostStorage storage = HostAllocator.create().allocate(100)) {
            assertKind(StorageException.Kind.OPERATION_FAILED, size + " bytes from " + offset,
                    () -> storage.fill((byte) 1, offset, size));
            storage.fill((byte) 1, 100, 0);
            storage.fill((byte) 9, 0, 100);
            assertThat(storage.segment().get(ValueLayout.JAVA_BYTE, 99)).isEqualTo((byte) 9);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE})
    void sizesBelowOneAreRefused(long size) {
        assertKind(StorageException.Kind.INVALID_CONFIG, size + " bytes",
                () -> HostAllocator.create().allocate(size));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aSizeThatTheSystemCannotGiveIsRefused(boolean shared) throws IOException {
        HostAllocator allocator = HostAllocator.builder()
                .name("kvbm-huge-size")
                .shared(shared)
                .limits(new MemoryLimits(empty))
                .build();
        for (long size : new long[]{Long.MAX_VALUE, Long.MAX_VALUE - 4096, 1L << 60}) {
            assertKind(StorageException.Kind.ALLOCATION_FAILED, size + " bytes", () -> allocator.allocate(size));
        }
        assertThat(ProcessTable.descriptors("kvbm-huge-size")).isZero();
        assertThat(ProcessTable.mappings("kvbm-huge-size")).isZero();
    }

    @Test
    void nothingIsLeftOfManyStorages() throws IOException {
        HostAllocator allocator = HostAllocator.builder().name("kvbm-rounds").backgroundFrom(MIB).build();
        for (int round = 0; round < 200; round++) {
            try (HostStorage small = allocator.allocate(4097); HostStorage large = allocator.allocate(2 * MIB)) {
                small.segment().set(ValueLayout.JAVA_BYTE, 4096, (byte) 1);
                if (round == 0) {
                    assertThat(ProcessTable.descriptors("kvbm-rounds")).isEqualTo(2);
                    assertThat(ProcessTable.mappings("kvbm-rounds")).isEqualTo(2);
                }
                assertThat(large.size()).isEqualTo(2 * MIB);
            }
        }
        assertThat(ProcessTable.descriptors("kvbm-rounds")).isZero();
        assertThat(ProcessTable.mappings("kvbm-rounds")).isZero();
    }

    @ParameterizedTest
    @CsvSource({"true, 1", "true, 2097152", "true, 4194304", "true, 3000000", "false, 2097152"})
    @DisplayName("huge pages are used where there are any and never make an allocation fail")
    void hugePages(boolean hugePages, long size) throws IOException {
        HostAllocator allocator = HostAllocator.builder().name("kvbm-pages").hugePages(hugePages).build();
        try (HostStorage storage = allocator.allocate(size)) {
            storage.fill((byte) 3, 0, size);
            assertThat(storage.hugePages() == HugePages.NONE || hugePages).isTrue();
            assertThat(ProcessTable.descriptors("kvbm-pages")).isOne();
        }
        assertThat(ProcessTable.descriptors("kvbm-pages")).isZero();
    }

    @Test
    @DisplayName("memory that says it is of transparent huge pages has some, as soon as it is reserved")
    void transparentHugePages() throws IOException {
        HostAllocator allocator = HostAllocator.builder().name("kvbm-thp").backgroundFrom(Long.MAX_VALUE).build();
        try (HostStorage storage = allocator.allocate(64 * MIB + 1)) {
            assertThat(storage.hugePages()).isNotEqualTo(HugePages.RESERVED);
            assertThat(ProcessTable.hugeBytes("kvbm-thp") > 0).isEqualTo(storage.hugePages() == HugePages.TRANSPARENT);
        }
    }

    @Test
    @SuppressWarnings("restricted")
    void closeWaitsForANativeCallThatUsesTheMemory() throws Exception {
        MethodHandle nanosleep = Linker.nativeLinker()
                .downcallHandle(
                        Linker.nativeLinker().defaultLookup().findOrThrow("nanosleep"),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        HostStorage storage = HostAllocator.builder().name("kvbm-busy").build().allocate(4096);
        MemorySegment memory = storage.segment();
        memory.set(ValueLayout.JAVA_LONG, 8, Duration.ofMillis(500).toNanos());
        CountDownLatch calling = new CountDownLatch(1);
        FutureTask<Integer> call = new FutureTask<>(() -> {
            calling.countDown();
            try {
                return (int) nanosleep.invokeExact(memory, MemorySegment.NULL);
            } catch (Throwable e) {
                throw new IllegalStateException(e);
            }
        });
        Thread.ofPlatform().start(call);
        calling.await();
        await().pollDelay(Duration.ofMillis(100)).until(() -> !call.isDone());

        storage.close();

        assertThat(call.get(10, TimeUnit.SECONDS)).isZero();
        assertThat(ProcessTable.mappings("kvbm-busy")).isZero();
        assertThat(ProcessTable.descriptors("kvbm-busy")).isZero();
    }

    @Test
    void aFileOfHugePagesRefusesAnyOtherSize() {
        Libc libc = Libc.find().orElseThrow();
        Libc.Result file = libc.memfdCreate("kvbm-odd", Libc.MFD_CLOEXEC | Libc.MFD_HUGETLB);
        if (!file.failed()) {
            assertThat(libc.ftruncate((int) file.value(), 2 * MIB + 1).errno()).isEqualTo(Libc.EINVAL);
            assertThat(libc.close((int) file.value()).failed()).isFalse();
        } else {
            assertThat(file.errno()).isPositive();
        }
    }

    @Test
    void storageBelowTheThresholdIsReservedWhenItIsReturned() {
        HostAllocator allocator = HostAllocator.builder().backgroundFrom(MIB).build();
        try (HostStorage storage = allocator.allocate(MIB - 1)) {
            assertThat(storage.reservedBytes()).isEqualTo(MIB - 1);
            assertThat(storage.reserved().toCompletableFuture()).isCompleted();
        }
    }

    @Test
    void storageAboveTheThresholdIsReservedInTheBackgroundInRisingSteps() {
        HostAllocator allocator = HostAllocator.builder().backgroundFrom(MIB).build();
        List<Long> told = new CopyOnWriteArrayList<>();
        try (HostStorage storage = allocator.allocate(256 * MIB)) {
            storage.onReserved(told::add);
            assertThat(told).hasSizeGreaterThanOrEqualTo(1);
            storage.reserved().toCompletableFuture().orTimeout(30, TimeUnit.SECONDS).join();
            assertThat(storage.reservedBytes()).isEqualTo(256 * MIB);
            await().untilAsserted(() -> assertThat(told.getLast()).isEqualTo(256 * MIB));
            assertThat(told).isSorted().doesNotHaveDuplicates();
            List<Long> late = new CopyOnWriteArrayList<>();
            storage.onReserved(late::add);
            assertThat(late).containsExactly(256 * MIB);
        }
    }

    @Test
    void closingDuringTheReservationStopsItSoonAndSaysSo() throws Exception {
        HostAllocator allocator = HostAllocator.builder().name("kvbm-early").backgroundFrom(MIB).build();
        CountDownLatch first = new CountDownLatch(1);
        List<Long> told = new CopyOnWriteArrayList<>();
        HostStorage storage = allocator.allocate(3L << 30);
        storage.onReserved(bytes -> {
            told.add(bytes);
            if (bytes > 0) {
                first.countDown();
            }
        });
        assertThat(first.await(30, TimeUnit.SECONDS)).isTrue();
        long before = System.nanoTime();
        storage.close();
        assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(5));
        int calls = told.size();
        assertThat(storage.reservedBytes()).isLessThan(3L << 30);
        assertThatThrownBy(() -> storage.reserved().toCompletableFuture().join())
                .isInstanceOf(CompletionException.class)
                .cause()
                .isInstanceOf(StorageException.class)
                .hasMessageContaining("closed");
        assertThat(ProcessTable.descriptors("kvbm-early")).isZero();
        assertThat(ProcessTable.mappings("kvbm-early")).isZero();
        assertThat(told).hasSize(calls);
    }

    @Test
    void aRegionOfThreeGibibytesIsWritableAtBothEnds() {
        HostAllocator allocator = HostAllocator.builder().backgroundFrom(MIB).build();
        long size = 3L << 30;
        try (HostStorage storage = allocator.allocate(size)) {
            storage.fill((byte) 5, size - 3, 3);
            storage.fill((byte) 6, 0, 3);
            assertThat(storage.segment().get(ValueLayout.JAVA_BYTE, size - 1)).isEqualTo((byte) 5);
            assertThat(storage.segment().get(ValueLayout.JAVA_BYTE, size - 4)).isZero();
            assertThat(storage.segment().get(ValueLayout.JAVA_BYTE, 2)).isEqualTo((byte) 6);
        }
    }

    @Test
    void theMemoryIsGoneAfterCloseAndClosingAgainDoesNothing() {
        HostStorage storage = HostAllocator.create().allocate(10);
        storage.close();
        storage.close();
        assertThatThrownBy(() -> storage.segment().get(ValueLayout.JAVA_BYTE, 0))
                .isInstanceOf(IllegalStateException.class);
    }
}
