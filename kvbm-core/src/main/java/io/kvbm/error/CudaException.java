package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** CUDA's driver refused a call or failed in it, or the GPU did. */
public final class CudaException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** The device, a stream, an event or the kernel could not be made. */
        SETUP_FAILED(Decision.FATAL),

        /** The device or the driver has no memory left for it. */
        OUT_OF_MEMORY(Decision.FATAL),

        /** A call failed, and the device works on. */
        CALL_FAILED(Decision.MISS),

        /** The device failed, or does not answer: nothing goes to it or comes from it until the process is restarted. */
        DEVICE_LOST(Decision.MISS);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;
    private final @Nullable String result;

    /**
     * An error of this kind; the message states value, limit and remedy.
     *
     * @param result the name of what the driver answered, such as {@code CUDA_ERROR_ILLEGAL_ADDRESS}; null where it was
     *        not called
     */
    public CudaException(Kind kind, @Nullable String result, String message) {
        super(kind.decision, message, null);
        this.kind = kind;
        this.result = result;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }

    /**
     * Whether the driver has ended everything that was under way in the context, as it does with most failures of a device;
     * of some nothing is known.
     */
    public boolean hasEndedTheContext() {
        return kind == Kind.DEVICE_LOST && result != null && !result.equals("CUDA_ERROR_UNKNOWN");
    }

    /** The name of what the driver answered; null where it was not called. */
    public @Nullable String result() {
        return result;
    }
}
