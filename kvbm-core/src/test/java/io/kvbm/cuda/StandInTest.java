package io.kvbm.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;

import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import static jcuda.driver.JCudaDriver.cuCtxEnablePeerAccess;
import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuCtxSynchronize;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventQuery;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;
import static jcuda.driver.JCudaDriver.cuMemHostRegister;
import static jcuda.driver.JCudaDriver.cuMemHostUnregister;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyPeerAsync;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;
import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadData;
import static jcuda.driver.JCudaDriver.cuModuleUnload;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamQuery;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** The stand-in as JCuda sees it: right where a GPU is right, and strict where a GPU may let a mistake pass. */
@Tag("cuda")
@EnabledIf("io.kvbm.cuda.StandIn#isThere")
class StandInTest {

    private static final int SIZE = 4096;
    private static final String PTX = """
            .version 7.0
            .target sm_70
            .address_size 64
            .visible .entry kvbm_move_16(.param .u64 pieces) { ret; }
            .visible .entry
                kvbm_move_4 (.param .u64 pieces) { ret; }
            """;

    /** A pointer that says where it points to. */
    private static final class Address extends CUdeviceptr {

        long value() {
            return getNativePointer();
        }
    }

    private final StandIn standIn = StandIn.get();
    private final long liveBefore = standIn.live();
    private final Arena arena = Arena.ofShared();
    private final List<Pointer> registered = new ArrayList<>();
    private final CUcontext context;
    private final CUstream stream;
    private final CUmodule module;
    private final Address memory;

    StandInTest() {
        succeeds(cuInit(0));
        context = retain(0);
        stream = stream();
        module = load(PTX);
        memory = allocate(SIZE);
    }

    /** What is live is given back in a healthy context: a test that breaks it has to say what it expects of that. */
    @AfterEach
    void close() {
        standIn.reset();
        succeeds(cuCtxSetCurrent(context));
        registered.forEach(pointer -> succeeds(cuMemHostUnregister(pointer)));
        cuMemFree(memory);
        succeeds(cuModuleUnload(module));
        succeeds(cuStreamDestroy(stream));
        release(0);
        arena.close();
        assertThat(standIn.live()).isEqualTo(liveBefore);
    }

    private static void succeeds(int result) {
        fails(result, CUresult.CUDA_SUCCESS);
    }

    private static void fails(int result, int error) {
        assertThat(CUresult.stringFor(result)).isEqualTo(CUresult.stringFor(error));
    }

    private static CUdevice device(int ordinal) {
        CUdevice device = new CUdevice();
        succeeds(cuDeviceGet(device, ordinal));
        return device;
    }

    /** The context of a device, which is the thread's from now on. */
    private static CUcontext retain(int ordinal) {
        CUcontext context = new CUcontext();
        succeeds(cuDevicePrimaryCtxRetain(context, device(ordinal)));
        succeeds(cuCtxSetCurrent(context));
        return context;
    }

    private static void release(int ordinal) {
        succeeds(cuDevicePrimaryCtxRelease(device(ordinal)));
    }

    private static CUstream stream() {
        CUstream stream = new CUstream();
        succeeds(cuStreamCreate(stream, 0));
        return stream;
    }

    private static CUevent event() {
        CUevent event = new CUevent();
        succeeds(cuEventCreate(event, 0));
        return event;
    }

    private static Address allocate(long size) {
        Address address = new Address();
        succeeds(cuMemAlloc(address, size));
        return address;
    }

    private static Pointer pointer(MemorySegment segment) {
        return Pointer.to(segment.asByteBuffer());
    }

    private MemorySegment host(byte... bytes) {
        MemorySegment segment = arena.allocate(bytes.length, 4096);
        segment.copyFrom(MemorySegment.ofArray(bytes));
        return segment;
    }

    private MemorySegment locked(byte... bytes) {
        MemorySegment segment = host(bytes);
        Pointer pointer = pointer(segment);
        succeeds(cuMemHostRegister(pointer, bytes.length, 0));
        registered.add(pointer);
        return segment;
    }

    private static byte[] random(int seed) {
        byte[] bytes = new byte[SIZE];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static byte[] content(MemorySegment segment) {
        return segment.toArray(ValueLayout.JAVA_BYTE);
    }

    private void up(CUdeviceptr to, MemorySegment from) {
        succeeds(cuMemcpyHtoDAsync(to, pointer(from), from.byteSize(), stream));
    }

    private byte[] down(CUdeviceptr from) {
        MemorySegment to = locked(new byte[SIZE]);
        succeeds(cuMemcpyDtoHAsync(pointer(to), from, SIZE, stream));
        succeeds(cuStreamSynchronize(stream));
        return content(to);
    }

    private MemorySegment list(long... addresses) {
        MemorySegment list = locked(new byte[8 * addresses.length]);
        list.copyFrom(MemorySegment.ofArray(addresses));
        return list;
    }

    private static CUmodule load(String text) {
        CUmodule module = new CUmodule();
        succeeds(cuModuleLoadData(module, (text + "\0").getBytes(StandardCharsets.US_ASCII)));
        return module;
    }

    /** Moves pieces with the kernel of that name, in the stream. */
    private int launch(String name, int threads, MemorySegment list, int bytes, int outer, int inner, int row) {
        CUfunction kernel = new CUfunction();
        succeeds(cuModuleGetFunction(kernel, module, name));
        Pointer parameters = Pointer.to(Pointer.to(new long[]{list.address()}), Pointer.to(new int[]{bytes}),
                Pointer.to(new int[]{outer}), Pointer.to(new int[]{inner}), Pointer.to(new int[]{row}));
        int pieces = (int) (list.byteSize() / 16);
        return cuLaunchKernel(kernel, pieces, 1, 1, threads, 1, 1, 0, stream, parameters, null);
    }

    private int move(String name, MemorySegment list, int bytes, int outer, int inner, int row) {
        succeeds(launch(name, 128, list, bytes, outer, inner, row));
        return cuStreamSynchronize(stream);
    }

    private void hasViolated(String rule) {
        assertThat(standIn.violation()).contains(rule);
        assertThat(standIn.violations()).isEqualTo(1);
    }

    @Test
    void whatGoesUpComesDownAgain() {
        up(memory, locked(random(1)));
        assertThat(down(memory)).isEqualTo(random(1));

        Address other = allocate(SIZE);
        succeeds(cuMemcpyDtoDAsync(other, memory.withByteOffset(SIZE / 2), SIZE / 2, stream));
        assertThat(Arrays.copyOf(down(other), SIZE / 2)).isEqualTo(Arrays.copyOfRange(random(1), SIZE / 2, SIZE));
        succeeds(cuMemFree(other));
        assertThat(standIn.violations()).isZero();
    }

    @Test
    void freshMemoryIsNotZero() {
        assertThat(down(memory)).containsOnly(0xA5);
        succeeds(cuMemsetD8Async(memory, (byte) 7, SIZE, stream));
        assertThat(down(memory)).containsOnly(7);
    }

    @Test
    void lockedMemoryIsReadWhenTheStreamGetsThere() {
        MemorySegment host = locked(random(1));
        standIn.hold();
        up(memory, host);
        host.copyFrom(MemorySegment.ofArray(random(2)));
        standIn.letGo();
        assertThat(down(memory)).isEqualTo(random(2));
    }

    @Test
    void otherMemoryIsReadBeforeTheCallReturns() {
        MemorySegment host = host(random(1));
        standIn.hold();
        up(memory, host);
        host.fill((byte) 0);
        standIn.letGo();
        assertThat(down(memory)).isEqualTo(random(1));
    }

    @Test
    void otherMemoryIsWrittenBeforeTheCallReturns() {
        MemorySegment host = host(new byte[SIZE]);
        standIn.delay(10_000);
        up(memory, locked(random(1)));
        succeeds(cuMemcpyDtoHAsync(pointer(host), memory, SIZE, stream));
        assertThat(content(host)).isEqualTo(random(1));
    }

    @Test
    void memoryThatIsLockedInPartIsRefused() {
        MemorySegment host = host(new byte[2 * SIZE]);
        Pointer half = pointer(host.asSlice(0, SIZE));
        succeeds(cuMemHostRegister(half, SIZE, 0));
        registered.add(half);
        fails(cuMemcpyHtoDAsync(memory, pointer(host.asSlice(1)), SIZE, stream), CUresult.CUDA_ERROR_INVALID_VALUE);
        fails(cuMemHostRegister(pointer(host), SIZE, 0), CUresult.CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    }

    @Test
    void memoryThatTheDriverAllocatesIsLocked() {
        Pointer host = new Pointer();
        succeeds(cuMemHostAlloc(host, SIZE, 0));
        host.getByteBuffer(0, SIZE).put(random(1));
        standIn.hold();
        succeeds(cuMemcpyHtoDAsync(memory, host, SIZE, stream));
        host.getByteBuffer(0, SIZE).put(random(2));
        standIn.letGo();
        assertThat(down(memory)).isEqualTo(random(2));
        succeeds(cuMemFreeHost(host));
    }

    @Test
    void memoryIsCountedAndHasAnEnd() {
        long[] free = new long[1];
        long[] total = new long[1];
        succeeds(cuMemGetInfo(free, total));
        assertThat(total[0] - free[0]).isEqualTo(SIZE);
        fails(cuMemAlloc(new CUdeviceptr(), free[0] + 1), CUresult.CUDA_ERROR_OUT_OF_MEMORY);
    }

    @Test
    void aKernelMovesPiecesFromAnywhereToAnywhere() {
        MemorySegment from = locked(random(1));
        long half = SIZE / 2;
        MemorySegment list = list(from.address() + half, memory.value(), from.address(), memory.value() + half);
        succeeds(move("kvbm_move_16", list, SIZE / 2, 1, 1, SIZE / 2));

        MemorySegment to = locked(new byte[SIZE]);
        MemorySegment back = list(memory.value() + half, to.address(), memory.value(), to.address() + half);
        succeeds(move("kvbm_move_4", back, SIZE / 2, 1, 1, SIZE / 2));
        assertThat(content(to)).isEqualTo(random(1));
        assertThat(standIn.violations()).isZero();
    }

    @Test
    void aKernelTransposesTheRowsOfAPiece() {
        up(memory, locked(random(1)));
        Address other = allocate(SIZE);
        int row = 16;
        int outer = 2;
        int inner = SIZE / row / outer;
        succeeds(move("kvbm_move_16", list(memory.value(), other.value()), SIZE, outer, inner, row));

        byte[] expected = new byte[SIZE];
        for (int o = 0; o < outer; o++) {
            for (int i = 0; i < inner; i++) {
                System.arraycopy(random(1), (o * inner + i) * row, expected, (i * outer + o) * row, row);
            }
        }
        assertThat(down(other)).isEqualTo(expected);
        succeeds(cuMemFree(other));
    }

    @Test
    void aKernelOnAnOddAddressBreaksTheContext() {
        MemorySegment list = list(memory.value() + 4, memory.value());
        fails(move("kvbm_move_16", list, SIZE / 2, 1, 1, SIZE / 2), CUresult.CUDA_ERROR_MISALIGNED_ADDRESS);
        hasViolated("source");
    }

    @Test
    void aKernelThatWritesIntoWhatItReadsIsAViolation() {
        MemorySegment list = list(memory.value(), memory.value() + 16);
        succeeds(move("kvbm_move_16", list, SIZE / 2, 1, 1, SIZE / 2));
        hasViolated("writes into what it reads");
    }

    @Test
    void aKernelThatReadsTheSameTwiceIsNone() {
        long half = SIZE / 2;
        MemorySegment host = locked(random(1));
        MemorySegment list = list(host.address(), memory.value(), host.address(), memory.value() + half);
        succeeds(move("kvbm_move_16", list, SIZE / 2, 1, 1, SIZE / 2));
        assertThat(standIn.violations()).isZero();
    }

    @Test
    void aKernelOnTooManyThreadsIsRefused() {
        MemorySegment list = list(memory.value(), memory.value());
        fails(launch("kvbm_move_16", 1025, list, SIZE, 1, 1, SIZE), CUresult.CUDA_ERROR_INVALID_VALUE);
    }

    @Test
    void aKernelThatTheModuleHasNotIsNotFound() {
        fails(cuModuleGetFunction(new CUfunction(), module, "kvbm_move_1"), CUresult.CUDA_ERROR_NOT_FOUND);
        fails(cuModuleLoadData(new CUmodule(), new byte[]{'x', 0}), CUresult.CUDA_ERROR_INVALID_PTX);
    }

    @Test
    void whatWaitsForAnEventComesAfterIt() {
        CUstream later = stream();
        CUevent copied = event();
        Address other = allocate(SIZE);
        standIn.delay(20_000);
        succeeds(cuMemsetD8Async(memory, (byte) 0, SIZE, stream));
        up(memory, locked(random(1)));
        succeeds(cuEventRecord(copied, stream));
        fails(cuEventQuery(copied), CUresult.CUDA_ERROR_NOT_READY);
        succeeds(cuStreamWaitEvent(later, copied, 0));
        succeeds(cuMemcpyDtoDAsync(other, memory, SIZE, later));
        succeeds(cuStreamSynchronize(later));
        succeeds(cuEventQuery(copied));
        succeeds(cuEventDestroy(copied));
        assertThat(down(other)).isEqualTo(random(1));
        succeeds(cuMemFree(other));
        succeeds(cuStreamDestroy(later));
        assertThat(standIn.violations()).isZero();
    }

    @Test
    void anEventIsRecordedAnewAndWhatWaitsForTheFirstRecordGoesOn() {
        CUevent event = event();
        CUstream later = stream();
        up(memory, locked(random(1)));
        succeeds(cuEventRecord(event, stream));
        succeeds(cuStreamWaitEvent(later, event, 0));
        succeeds(cuEventSynchronize(event));
        standIn.hold();
        succeeds(cuEventRecord(event, stream));
        fails(cuEventQuery(event), CUresult.CUDA_ERROR_NOT_READY);
        standIn.letGo();
        succeeds(cuStreamSynchronize(later));
        succeeds(cuEventSynchronize(event));
        succeeds(cuEventDestroy(event));
        succeeds(cuStreamDestroy(later));
    }

    @Test
    void useAfterFreeIsAViolationAndBreaksTheContext() {
        Address freed = allocate(SIZE);
        succeeds(cuMemFree(freed));
        up(freed, locked(random(1)));
        fails(cuStreamSynchronize(stream), CUresult.CUDA_ERROR_ILLEGAL_ADDRESS);
        hasViolated("not within one live allocation");
    }

    @Test
    void aCopyPastTheEndIsAViolation() {
        succeeds(cuMemsetD8Async(memory.withByteOffset(1), (byte) 0, SIZE, stream));
        fails(cuStreamSynchronize(stream), CUresult.CUDA_ERROR_ILLEGAL_ADDRESS);
        hasViolated("not within one live allocation");
    }

    @Test
    void memoryThatIsFreedWhileItIsUsedWaitsAndIsAViolation() {
        Address used = allocate(SIZE);
        standIn.delay(20_000);
        up(memory, locked(random(1)));
        succeeds(cuMemcpyDtoDAsync(used, memory, SIZE, stream));
        succeeds(cuMemcpyDtoDAsync(memory, used, SIZE, stream));
        succeeds(cuMemFree(used));
        hasViolated("freed while an operation uses it");
        succeeds(cuStreamSynchronize(stream));
        assertThat(down(memory)).isEqualTo(random(1));
    }

    @Test
    void memoryThatIsUnregisteredWhileItIsUsedIsAViolation() {
        MemorySegment host = locked(random(1));
        standIn.delay(20_000);
        up(memory, host);
        succeeds(cuMemHostUnregister(registered.removeLast()));
        hasViolated("unregistered while an operation uses it");
    }

    @Test
    void aKernelThatUsesMemoryWhichIsFreedMeanwhileIsAViolation() {
        MemorySegment list = list(memory.value(), memory.value() + SIZE / 2);
        standIn.delay(20_000);
        succeeds(launch("kvbm_move_16", 128, list, SIZE / 2, 1, 1, SIZE / 2));
        succeeds(cuMemFree(memory));
        hasViolated("freed while an operation uses it");
    }

    @Test
    void whatIsDestroyedBeforeItsTimeIsAViolation() {
        CUstream early = stream();
        CUevent event = event();
        standIn.hold();
        succeeds(cuMemsetD8Async(memory, (byte) 1, SIZE, early));
        succeeds(cuEventRecord(event, early));
        succeeds(cuEventDestroy(event));
        hasViolated("recorded and not reached");
        succeeds(cuStreamDestroy(early));
        assertThat(standIn.violation()).contains("work left");
        assertThat(standIn.violations()).isEqualTo(2);
        standIn.letGo();
        succeeds(cuCtxSynchronize());
        assertThat(down(memory)).containsOnly(1);
    }

    @Test
    void aBrokenContextRefusesEverythingAndTakesEverythingBack() {
        Address other = allocate(SIZE);
        MemorySegment host = locked(random(1));
        CUevent event = event();
        CUmodule kernels = load(PTX);
        long live = standIn.live();
        long operations = standIn.operations();
        int error = CUresult.CUDA_ERROR_ECC_UNCORRECTABLE;
        standIn.failOperation(2, error);
        standIn.hold();
        up(memory, host);
        up(other, host);
        up(memory, host);
        standIn.letGo();
        fails(cuStreamSynchronize(stream), error);
        assertThat(standIn.operations() - operations).isEqualTo(2);
        fails(cuMemAlloc(new CUdeviceptr(), SIZE), error);
        fails(cuMemcpyHtoDAsync(memory, pointer(host), SIZE, stream), error);
        fails(cuEventRecord(event, stream), error);
        fails(cuDevicePrimaryCtxRetain(new CUcontext(), device(0)), error);
        fails(cuMemFree(other), error);
        fails(cuMemHostUnregister(registered.removeLast()), error);
        fails(cuEventDestroy(event), error);
        fails(cuModuleUnload(kernels), error);
        assertThat(standIn.live()).isEqualTo(live - 4);
        assertThat(standIn.violations()).isZero();
    }

    @Test
    void aCallFailsWhenItsTurnComes() {
        long calls = standIn.calls();
        standIn.failCall(2, CUresult.CUDA_ERROR_OUT_OF_MEMORY);
        Address first = allocate(SIZE);
        fails(cuMemAlloc(new CUdeviceptr(), SIZE), CUresult.CUDA_ERROR_OUT_OF_MEMORY);
        Address third = allocate(SIZE);
        assertThat(standIn.calls() - calls).isEqualTo(3);
        succeeds(cuMemFree(first));
        succeeds(cuMemFree(third));
    }

    @Test
    void aCallThatFailsForGoodBreaksTheContextAndGivesBackAllTheSame() {
        Address other = allocate(SIZE);
        long live = standIn.live();
        standIn.failCall(1, CUresult.CUDA_ERROR_LAUNCH_FAILED);
        fails(cuMemAlloc(new CUdeviceptr(), SIZE), CUresult.CUDA_ERROR_LAUNCH_FAILED);
        fails(cuCtxSynchronize(), CUresult.CUDA_ERROR_LAUNCH_FAILED);
        standIn.reset();
        succeeds(cuCtxSynchronize());
        assertThat(standIn.live()).isEqualTo(live);
        standIn.failCall(1, CUresult.CUDA_ERROR_LAUNCH_FAILED);
        fails(cuMemFree(other), CUresult.CUDA_ERROR_LAUNCH_FAILED);
        assertThat(standIn.live()).isEqualTo(live - 1);
        standIn.reset();
    }

    @Test
    void aGpuThatHangsDoesNothingUntilItGoesOn() {
        long operations = standIn.operations();
        standIn.hold();
        up(memory, locked(random(1)));
        fails(cuStreamQuery(stream), CUresult.CUDA_ERROR_NOT_READY);
        assertThat(standIn.operations()).isEqualTo(operations);
        standIn.letGo();
        await().pollInSameThread().until(() -> cuStreamQuery(stream) == CUresult.CUDA_SUCCESS);
        assertThat(standIn.operations()).isEqualTo(operations + 1);
    }

    @Test
    void aThreadWithoutAContextGetsNothing() {
        int result = CompletableFuture.supplyAsync(() -> cuMemAlloc(new CUdeviceptr(), SIZE),
                task -> Thread.ofPlatform().start(task)).join();
        fails(result, CUresult.CUDA_ERROR_INVALID_CONTEXT);
    }

    @Test
    void anotherDeviceIsReachedByCopiesBetweenContextsOrWhereAccessIsEnabled() {
        CUcontext second = retain(1);
        Address far = allocate(SIZE);
        succeeds(cuCtxSetCurrent(context));
        up(memory, locked(random(1)));
        succeeds(cuMemcpyPeerAsync(far, second, memory, context, SIZE, stream));
        succeeds(cuStreamSynchronize(stream));
        assertThat(standIn.violations()).isZero();

        succeeds(cuMemcpyDtoDAsync(memory, far, SIZE, stream));
        fails(cuStreamSynchronize(stream), CUresult.CUDA_ERROR_ILLEGAL_ADDRESS);
        hasViolated("of another device");
        standIn.reset();

        succeeds(cuCtxEnablePeerAccess(second, 0));
        assertThat(down(far)).isEqualTo(random(1));
        succeeds(cuCtxSetCurrent(second));
        succeeds(cuMemFree(far));
        release(1);
    }
}
