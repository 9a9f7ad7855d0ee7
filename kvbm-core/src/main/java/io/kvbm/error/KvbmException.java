package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/**
 * Root of every exception that kvbm throws. Its message states what failed, the offending value, the limit it met and
 * what to do; its {@link #decision()} says how the caller goes on.
 */
public abstract sealed class KvbmException extends RuntimeException
        permits BlockException, ClosedException, ConfigException, CudaException, DescriptorException,
        IdentityException, LayoutException, NixlException, PoolException, RemoteException, StorageException,
        TokenException, TransferException {

    private static final long serialVersionUID = 1L;

    private final Decision decision;

    KvbmException(Decision decision, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.decision = decision;
    }

    /** What the caller does about it. */
    public final Decision decision() {
        return decision;
    }
}
