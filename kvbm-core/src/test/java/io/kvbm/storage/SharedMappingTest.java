package io.kvbm.storage;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import io.kvbm.error.StorageException;
import io.kvbm.testing.JavaProcess;
import io.kvbm.testing.ProcessTable;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

@EnabledOnOs(OS.LINUX)
@SuppressWarnings("restricted")
class SharedMappingTest {

    private static final long MIB = 1L << 20;
    private static final long SELF = ProcessHandle.current().pid();
    private static final int EPERM = 1;
    private static final int EACCES = 13;

    private static final Libc LIBC = Libc.find().orElseThrow();
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle NANOSLEEP = call("nanosleep",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));

    @TempDir
    Path directory;

    private static MethodHandle call(String name, FunctionDescriptor signature) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), signature);
    }

    private static HostStorage storage(String name, long size) {
        return HostAllocator.builder().name(name).hugePages(false).build().allocate(size);
    }

    private static SharedMapping mapping(HostStorage storage) {
        return SharedMapping.open(SELF, storage.fileDescriptor().orElseThrow());
    }

    private static void refused(String why, ThrowingCallable call) {
        assertThatExceptionOfType(StorageException.class).isThrownBy(call)
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.NOT_ACCESSIBLE));
    }

    /** A memory file of one page with these seals. */
    private static int file(int size, int seals) {
        int descriptor = (int) LIBC.memfdCreate("kvbm-odd", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING).value();
        assertThat(LIBC.ftruncate(descriptor, size).failed()).isFalse();
        assertThat(LIBC.addSeals(descriptor, seals).failed()).isFalse();
        return descriptor;
    }

    @Test
    void aMappingShowsWhatTheOwnerWritesAndCannotBeWritten() throws IOException {
        try (HostStorage storage = storage("kvbm-seen", MIB + 5)) {
            storage.fill((byte) 7, MIB, 5);
            try (SharedMapping mapping = mapping(storage)) {
                assertThat(mapping.size()).isEqualTo(MIB + 5);
                assertThat(mapping.inode()).isEqualTo(storage.inode().orElseThrow());
                assertThat(mapping.address()).isEqualTo(mapping.segment().address()).isNotEqualTo(storage.address());
                assertThat(mapping.type()).isEqualTo(new StorageType.System());
                assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, MIB + 4)).isEqualTo((byte) 7);
                storage.fill((byte) 8, MIB, 5);
                assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, MIB + 4)).isEqualTo((byte) 8);
                assertThat(mapping.segment().isReadOnly()).isTrue();
                assertThatThrownBy(() -> mapping.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1))
                        .isInstanceOf(IllegalArgumentException.class);
                assertThat(ProcessTable.mappings("kvbm-seen")).isEqualTo(2);
                assertThat(ProcessTable.descriptors("kvbm-seen")).isOne();
            }
            assertThat(ProcessTable.mappings("kvbm-seen")).isOne();
        }
        assertThat(ProcessTable.mappings("kvbm-seen")).isZero();
    }

    @Test
    void theBytesOutliveTheOwnersMemory() {
        HostStorage storage = storage("kvbm-outlived", MIB);
        storage.fill((byte) 9, 0, MIB);
        try (SharedMapping mapping = mapping(storage)) {
            storage.close();
            assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, MIB - 1)).isEqualTo((byte) 9);
        }
    }

    @Test
    void whatIsNoMemoryOfAProcessIsRefusedAndNotEvenOpened() throws IOException {
        refused("no memory of a process", () -> SharedMapping.open(SELF, 1 << 20));
        refused("no memory of a process", () -> SharedMapping.open(Integer.MAX_VALUE, 3));
        refused("no memory of a process", () -> SharedMapping.open(SELF, -1));
        Path path = Files.write(directory.resolve("memfd:kvbm"), new byte[4096]);
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
            long descriptor = descriptorOf(path);
            assertThat(file.length()).isEqualTo(4096);
            refused("no memory of a process", () -> SharedMapping.open(SELF, (int) descriptor));
        }
    }

    private static long descriptorOf(Path path) throws IOException {
        try (var descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.filter(link -> path.toString().equals(target(link)))
                    .mapToLong(link -> Long.parseLong(link.getFileName().toString()))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException e) {
            return "gone";
        }
    }

    @Test
    void memoryThatLacksAnyOfTheFourSealsIsRefused() throws IOException {
        int[] four = {Libc.F_SEAL_SHRINK, Libc.F_SEAL_GROW, Libc.F_SEAL_FUTURE_WRITE, Libc.F_SEAL_SEAL};
        for (int missing : four) {
            int descriptor = file(4096, SharedFile.SEALS & ~missing);
            refused("not sealed", () -> SharedMapping.open(SELF, descriptor));
            LIBC.close(descriptor);
        }
        int unsealed = (int) LIBC.memfdCreate("kvbm-odd", Libc.MFD_CLOEXEC).value();
        refused("not sealed", () -> SharedMapping.open(SELF, unsealed));
        LIBC.close(unsealed);
        assertThat(ProcessTable.descriptors("kvbm-odd")).isZero();
        assertThat(ProcessTable.mappings("kvbm-odd")).isZero();
    }

    @Test
    void anEmptyFileIsRefused() throws IOException {
        int descriptor = file(0, SharedFile.SEALS);
        refused("0 bytes", () -> SharedMapping.open(SELF, descriptor));
        LIBC.close(descriptor);
        assertThat(ProcessTable.descriptors("kvbm-odd")).isZero();
    }

    @Test
    void theFileOfAStorageThatWasClosedIsRefused() {
        HostStorage storage = storage("kvbm-closed", 4096);
        int descriptor = storage.fileDescriptor().orElseThrow();
        storage.close();
        refused("File " + descriptor, () -> SharedMapping.open(SELF, descriptor));
    }

    private static Map<SealBreaker.Attempt, Boolean> all(boolean success) {
        return Arrays.stream(SealBreaker.Attempt.values())
                .collect(Collectors.toMap(Function.identity(), _ -> success));
    }

    /** What a process of its own says of the attempts. */
    private static Map<SealBreaker.Attempt, Boolean> tryAllElsewhere(int descriptor) throws Exception {
        try (JavaProcess process = JavaProcess.start(SealBreaker.class, SELF, descriptor);
                BufferedReader output = new BufferedReader(
                        new InputStreamReader(process.output(), StandardCharsets.US_ASCII))) {
            Map<SealBreaker.Attempt, Boolean> said = output.lines()
                    .map(line -> line.split(" "))
                    .collect(Collectors.toMap(words -> SealBreaker.Attempt.valueOf(words[0]),
                            words -> Boolean.valueOf(words[1])));
            assertThat(process.awaitEnd()).isZero();
            return said;
        }
    }

    @Test
    void neitherThisProcessNorAnotherCanChangeMemoryThatIsShared() throws Exception {
        try (HostStorage storage = storage("kvbm-sealed", MIB); SharedMapping mapping = mapping(storage)) {
            storage.fill((byte) 5, 0, MIB);
            int descriptor = storage.fileDescriptor().orElseThrow();
            assertThat(SealBreaker.tryAll(SELF, descriptor)).isEqualTo(all(false));
            assertThat(tryAllElsewhere(descriptor)).isEqualTo(all(false));
            assertThat(SealBreaker.makesWritable(mapping.segment())).isFalse();
            assertThat(LIBC.mapShared(descriptor, MIB).errno()).isIn(EPERM, EACCES);
            for (long at = 0; at < MIB; at++) {
                assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, at)).isEqualTo((byte) 5);
            }
        }
    }

    @Test
    void memoryWithoutSealsCouldBeChangedByAnotherProcess() throws Exception {
        int descriptor = (int) LIBC.memfdCreate("kvbm-odd", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING).value();
        assertThat(LIBC.ftruncate(descriptor, MIB).failed()).isFalse();
        assertThat(tryAllElsewhere(descriptor)).isEqualTo(all(true));
        LIBC.close(descriptor);
    }

    @Test
    void closeWaitsForANativeCallThatReads() throws Exception {
        try (HostStorage storage = storage("kvbm-busy-read", 4096)) {
            storage.segment().set(ValueLayout.JAVA_LONG, 8, Duration.ofMillis(500).toNanos());
            SharedMapping mapping = mapping(storage);
            MemorySegment memory = mapping.segment();
            CountDownLatch calling = new CountDownLatch(1);
            FutureTask<Integer> call = new FutureTask<>(() -> {
                calling.countDown();
                return sleep(memory);
            });
            Thread.ofPlatform().start(call);
            calling.await();
            await().pollDelay(Duration.ofMillis(100)).until(() -> !call.isDone());

            mapping.close();
            mapping.close();

            assertThat(call.get(10, TimeUnit.SECONDS)).isZero();
            assertThat(ProcessTable.mappings("kvbm-busy-read")).isOne();
        }
    }

    private static int sleep(MemorySegment memory) {
        try {
            return (int) NANOSLEEP.invokeExact(memory, MemorySegment.NULL);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aReaderThatCopiesWhenTheMappingIsClosedIsToldAndLives() throws Exception {
        try (HostStorage storage = storage("kvbm-closing", 4 * MIB)) {
            for (int round = 0; round < 20; round++) {
                SharedMapping mapping = mapping(storage);
                MemorySegment to = MemorySegment.ofArray(new byte[1 << 20]);
                CountDownLatch copying = new CountDownLatch(1);
                FutureTask<Integer> reader = new FutureTask<>(() -> {
                    for (int copies = 0;; copies++) {
                        try {
                            MemoryCopy.copy(mapping.segment(), copies % 3, to, 0, MIB);
                        } catch (IllegalStateException e) {
                            return copies;
                        }
                        copying.countDown();
                    }
                });
                Thread.ofPlatform().start(reader);
                copying.await();
                mapping.close();
                assertThat(reader.get(10, TimeUnit.SECONDS)).isPositive();
            }
            assertThat(ProcessTable.mappings("kvbm-closing")).isOne();
        }
    }
}
