package io.kvbm.storage;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import io.kvbm.error.StorageException;

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
    private static final int O_RDWR = 2;
    private static final int PROT_READ_WRITE = 3;
    private static final int PUNCH_HOLE_KEEP_SIZE = 3;

    private static final Libc LIBC = Libc.find().orElseThrow();
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle MPROTECT = call("mprotect", FunctionDescriptor.of(ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    private static final MethodHandle FALLOCATE = call("fallocate", FunctionDescriptor.of(ValueLayout.JAVA_INT,
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
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

    @Test
    void whoeverOpensTheFileCanNeitherResizeNorWriteNorPunchIt() throws Throwable {
        try (HostStorage storage = storage("kvbm-sealed", MIB); SharedMapping mapping = mapping(storage)) {
            storage.fill((byte) 5, 0, MIB);
            String path = FileDescriptors.path(SELF, storage.fileDescriptor().orElseThrow()).toString();
            int own = (int) LIBC.open(path, O_RDWR | Libc.O_RDONLY_CLOEXEC).value();
            assertThat(own).isPositive();
            assertThat(LIBC.ftruncate(own, 0).errno()).isEqualTo(EPERM);
            assertThat(LIBC.ftruncate(own, 2 * MIB).errno()).isEqualTo(EPERM);
            assertThat(LIBC.mapShared(own, MIB).errno()).isEqualTo(EPERM);
            assertThat(LIBC.addSeals(own, Libc.F_SEAL_SHRINK).errno()).isEqualTo(EPERM);
            assertThat((int) FALLOCATE.invokeExact(own, PUNCH_HOLE_KEEP_SIZE, 0L, MIB)).isEqualTo(-1);
            Libc.Result readable = LIBC.mapReadOnly(own, MIB);
            assertThat(protect(MemorySegment.ofAddress(readable.value()), MIB)).isEqualTo(-1);
            LIBC.unmap(MemorySegment.ofAddress(readable.value()).reinterpret(MIB));
            LIBC.close(own);
            try (FileChannel channel = FileChannel.open(Path.of(path), StandardOpenOption.WRITE)) {
                assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1), 0)).isInstanceOf(IOException.class);
                assertThatThrownBy(() -> channel.truncate(1)).isInstanceOf(IOException.class);
            }
            assertThat(protect(mapping.segment(), MIB)).isEqualTo(-1);
            assertThat(LIBC.mapShared(storage.fileDescriptor().orElseThrow(), MIB).errno()).isIn(EPERM, EACCES);
            for (long at = 0; at < MIB; at++) {
                assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, at)).isEqualTo((byte) 5);
            }
        }
    }

    private static int protect(MemorySegment memory, long size) throws Throwable {
        return (int) MPROTECT.invokeExact(memory, size, PROT_READ_WRITE);
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
