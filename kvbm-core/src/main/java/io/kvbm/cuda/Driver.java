package io.kvbm.cuda;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;

import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

import io.kvbm.error.CudaException;
import io.kvbm.error.CudaException.Kind;

/**
 * The calls of CUDA's driver that are used, each checked. Addresses are plain numbers. What a call makes counts as held
 * until it is given back; where the driver refuses to take it, it is asked once more, and then it is lost. JCuda's own
 * exceptions have to stay switched off, as they are where nobody switches them on: they do not tell the result.
 */
final class Driver {

    private final AtomicLong open = new AtomicLong();

    long openHandles() {
        return open.get();
    }

    void init() {
        check(JCudaDriver.cuInit(0), "cuInit", Kind.SETUP_FAILED);
    }

    int version() {
        int[] version = new int[1];
        check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion", Kind.SETUP_FAILED);
        return version[0];
    }

    int deviceCount() {
        int[] count = new int[1];
        check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount", Kind.SETUP_FAILED);
        return count[0];
    }

    // ---------------------------------------------------------------------------------------- contexts

    /** The context that all users of a GPU in this process share. */
    record Context(CUdevice device, CUcontext handle) {}

    Context retain(int ordinal) {
        CUdevice device = new CUdevice();
        CUcontext context = new CUcontext();
        check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet", Kind.SETUP_FAILED);
        check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain", Kind.SETUP_FAILED);
        open.incrementAndGet();
        return new Context(device, context);
    }

    void release(Context context) {
        giveBack(() -> JCudaDriver.cuDevicePrimaryCtxRelease(context.device), "cuDevicePrimaryCtxRelease");
    }

    /** Calls of this thread go to this context from now on. */
    void makeCurrent(Context context) {
        check(JCudaDriver.cuCtxSetCurrent(context.handle), "cuCtxSetCurrent", Kind.SETUP_FAILED);
    }

    /**
     * Calls of this thread do not disturb an engine in the same context that captures its work as a graph, of which they
     * are no part.
     */
    void leaveCapturesAlone() {
        check(JCudaDriver.cuThreadExchangeStreamCaptureMode(
                new int[]{CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED}), "cuThreadExchangeStreamCaptureMode",
                Kind.SETUP_FAILED);
    }

    String name(Context context) {
        byte[] name = new byte[256];
        check(JCudaDriver.cuDeviceGetName(name, name.length, context.device), "cuDeviceGetName", Kind.SETUP_FAILED);
        int length = 0;
        while (length < name.length && name[length] != 0) {
            length++;
        }
        return new String(name, 0, length, StandardCharsets.US_ASCII);
    }

    /** Whether the GPU knows page-locked memory under the addresses of the processor. */
    boolean usesHostAddresses(Context context) {
        int[] answer = new int[1];
        check(JCudaDriver.cuDeviceGetAttribute(answer,
                CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, context.device),
                "cuDeviceGetAttribute", Kind.SETUP_FAILED);
        return answer[0] != 0;
    }

    // ---------------------------------------------------------------------------------------- memory

    /** Bytes of the current device that are free, then all there are. */
    record Memory(long free, long total) {}

    Memory memory() {
        long[] free = new long[1];
        long[] total = new long[1];
        check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo", Kind.CALL_FAILED);
        return new Memory(free[0], total[0]);
    }

    long allocate(long size) {
        Allocated address = new Allocated();
        check(JCudaDriver.cuMemAlloc(address, size), "cuMemAlloc", Kind.CALL_FAILED);
        open.incrementAndGet();
        return address.value();
    }

    void free(long address) {
        giveBack(() -> JCudaDriver.cuMemFree(device(address)), "cuMemFree");
    }

    /** Page-locks memory for all contexts of the process, cached by the processor as before. */
    void register(long address, long size) {
        check(JCudaDriver.cuMemHostRegister(host(address), size,
                JCudaDriver.CU_MEMHOSTREGISTER_PORTABLE | JCudaDriver.CU_MEMHOSTREGISTER_DEVICEMAP),
                "cuMemHostRegister", Kind.CALL_FAILED);
        open.incrementAndGet();
    }

    void unregister(long address) {
        giveBack(() -> JCudaDriver.cuMemHostUnregister(host(address)), "cuMemHostUnregister");
    }

    // ---------------------------------------------------------------------------------------- streams

    record Stream(CUstream handle) {}

    Stream createStream() {
        CUstream stream = new CUstream();
        // or it would wait for whatever the engine puts into the default stream
        check(JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate",
                Kind.SETUP_FAILED);
        open.incrementAndGet();
        return new Stream(stream);
    }

    void destroy(Stream stream) {
        giveBack(() -> JCudaDriver.cuStreamDestroy(stream.handle), "cuStreamDestroy");
    }

    /** Whether everything is done that was put into the stream. */
    boolean isIdle(Stream stream) {
        return isReady(JCudaDriver.cuStreamQuery(stream.handle), "cuStreamQuery");
    }

    record Event(CUevent handle) {}

    Event createEvent() {
        CUevent event = new CUevent();
        check(JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING), "cuEventCreate",
                Kind.SETUP_FAILED);
        open.incrementAndGet();
        return new Event(event);
    }

    void destroy(Event event) {
        giveBack(() -> JCudaDriver.cuEventDestroy(event.handle), "cuEventDestroy");
    }

    void record(Event event, Stream stream) {
        check(JCudaDriver.cuEventRecord(event.handle, stream.handle), "cuEventRecord", Kind.CALL_FAILED);
    }

    /** Whether the stream has got to where the event was recorded last. */
    boolean isReached(Event event) {
        return isReady(JCudaDriver.cuEventQuery(event.handle), "cuEventQuery");
    }

    private static boolean isReady(int result, String function) {
        if (result == CUresult.CUDA_ERROR_NOT_READY) {
            return false;
        }
        check(result, function, Kind.CALL_FAILED);
        return true;
    }

    // ---------------------------------------------------------------------------------------- copies

    void fill(long address, byte value, long size, Stream stream) {
        check(JCudaDriver.cuMemsetD8Async(device(address), value, size, stream.handle), "cuMemsetD8Async",
                Kind.CALL_FAILED);
    }

    void copyUp(long from, long to, long size, Stream stream) {
        check(JCudaDriver.cuMemcpyHtoDAsync(device(to), host(from), size, stream.handle), "cuMemcpyHtoDAsync",
                Kind.CALL_FAILED);
    }

    void copyDown(long from, long to, long size, Stream stream) {
        check(JCudaDriver.cuMemcpyDtoHAsync(host(to), device(from), size, stream.handle), "cuMemcpyDtoHAsync",
                Kind.CALL_FAILED);
    }

    void copyWithin(long from, long to, long size, Stream stream) {
        check(JCudaDriver.cuMemcpyDtoDAsync(device(to), device(from), size, stream.handle), "cuMemcpyDtoDAsync",
                Kind.CALL_FAILED);
    }

    void copyAcross(long from, Context source, long to, Context destination, long size, Stream stream) {
        check(JCudaDriver.cuMemcpyPeerAsync(device(to), destination.handle, device(from), source.handle, size,
                stream.handle), "cuMemcpyPeerAsync", Kind.CALL_FAILED);
    }

    // ---------------------------------------------------------------------------------------- kernels

    record Module(CUmodule handle) {}

    /** Has the driver make code for its GPU out of PTX. */
    Module load(String ptx) {
        CUmodule module = new CUmodule();
        check(JCudaDriver.cuModuleLoadData(module, ptx), "cuModuleLoadData", Kind.SETUP_FAILED);
        open.incrementAndGet();
        return new Module(module);
    }

    void unload(Module module) {
        giveBack(() -> JCudaDriver.cuModuleUnload(module.handle), "cuModuleUnload");
    }

    record Function(CUfunction handle) {}

    Function function(Module module, String name) {
        CUfunction function = new CUfunction();
        check(JCudaDriver.cuModuleGetFunction(function, module.handle, name), "cuModuleGetFunction",
                Kind.SETUP_FAILED);
        return new Function(function);
    }

    /**
     * How a kernel's work is divided.
     *
     * @param columns groups of threads in the first dimension
     * @param rows groups of threads in the second dimension, at most 65535
     * @param threads threads of a group, at most 1024
     */
    record Grid(int columns, int rows, int threads) {}

    /** Starts a kernel that takes one 64-bit number and then 32-bit ones. */
    void launch(Function function, Grid grid, Stream stream, long first, int... others) {
        Pointer[] parameters = new Pointer[1 + others.length];
        parameters[0] = Pointer.to(new long[]{first});
        for (int i = 0; i < others.length; i++) {
            parameters[1 + i] = Pointer.to(new int[]{others[i]});
        }
        check(JCudaDriver.cuLaunchKernel(function.handle, grid.columns, grid.rows, 1, grid.threads, 1, 1, 0,
                stream.handle, Pointer.to(parameters), null), "cuLaunchKernel", Kind.CALL_FAILED);
    }

    // ---------------------------------------------------------------------------------------- results

    private static CUdeviceptr device(long address) {
        return new CUdeviceptr().withByteOffset(address);
    }

    private static Pointer host(long address) {
        return new HostAddress(address);
    }

    private void giveBack(IntSupplier call, String function) {
        open.decrementAndGet();
        int result = call.getAsInt();
        boolean mayBeGivenBackStill = result != CUresult.CUDA_SUCCESS && !isLoss(result);
        check(mayBeGivenBackStill ? call.getAsInt() : result, function, Kind.CALL_FAILED);
    }

    private static void check(int result, String function, Kind otherwise) {
        if (result == CUresult.CUDA_SUCCESS) {
            return;
        }
        String[] text = new String[1];
        JCudaDriver.cuGetErrorString(result, text);
        String name = CUresult.stringFor(result);
        throw new CudaException(kind(result, otherwise), name,
                function + " answers " + name + " (" + text[0] + ")" + remedy(result));
    }

    private static String remedy(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_OUT_OF_MEMORY -> "; configure fewer blocks, or leave more memory to others";
            case CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION -> "; install driver R520 or a later one, which reads PTX 7.8";
            case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH -> "; the driver in the kernel and its library are of two versions: restart the machine";
            case CUresult.CUDA_ERROR_NO_DEVICE -> "; look at nvidia-smi and CUDA_VISIBLE_DEVICES";
            default -> isLoss(result) ? "; restart the process to use the GPU again" : "";
        };
    }

    private static Kind kind(int result, Kind otherwise) {
        if (isLoss(result)) {
            return Kind.DEVICE_LOST;
        }
        return result == CUresult.CUDA_ERROR_OUT_OF_MEMORY ? Kind.OUT_OF_MEMORY : otherwise;
    }

    /** The errors after which every further call of the process to the device gives the same answer. */
    private static boolean isLoss(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_DEINITIALIZED, CUresult.CUDA_ERROR_MPS_CLIENT_TERMINATED,
                    CUresult.CUDA_ERROR_ECC_UNCORRECTABLE, CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
                    CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED, CUresult.CUDA_ERROR_ASSERT,
                    CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR, CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
                    CUresult.CUDA_ERROR_MISALIGNED_ADDRESS, CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
                    CUresult.CUDA_ERROR_INVALID_PC, CUresult.CUDA_ERROR_LAUNCH_FAILED,
                    CUresult.CUDA_ERROR_EXTERNAL_DEVICE, CUresult.CUDA_ERROR_UNKNOWN -> true;
            default -> false;
        };
    }

    /** JCuda takes the number of a host address from subclasses only. */
    private static final class HostAddress extends Pointer {

        private HostAddress(long address) {
            super(address);
        }
    }

    /** JCuda tells the number of an address to subclasses only. */
    private static final class Allocated extends CUdeviceptr {

        private long value() {
            return getNativePointer() + getByteOffset();
        }
    }
}
