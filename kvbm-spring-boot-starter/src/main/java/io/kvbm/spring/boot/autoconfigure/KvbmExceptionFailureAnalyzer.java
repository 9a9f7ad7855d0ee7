package io.kvbm.spring.boot.autoconfigure;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

import io.kvbm.error.ConfigException;
import io.kvbm.error.CudaException;
import io.kvbm.error.KvbmException;
import io.kvbm.error.LayoutException;
import io.kvbm.error.NixlException;
import io.kvbm.error.StorageException;

/** Says what the core refused when a block manager was to be made, and which properties it was made from. */
final class KvbmExceptionFailureAnalyzer extends AbstractFailureAnalyzer<KvbmException> {

    private static final String LESS = "Lower kvbm.host.size or kvbm.host.blocks, or give the process more memory.";
    private static final String UNREGISTERED = "Raise the limit of memory that the process may lock, or set"
            + " kvbm.nixl.enabled=false to share blocks on this host only.";
    private static final String NO_GPU = "Lower kvbm.device.size or kvbm.device.blocks, or set"
            + " kvbm.device.enabled=false to keep blocks in host memory.";

    @Override
    protected @Nullable FailureAnalysis analyze(Throwable rootFailure, KvbmException cause) {
        String action = switch (cause) {
            case StorageException _ -> LESS;
            case LayoutException layout when layout.getCause() instanceof CudaException -> NO_GPU;
            case LayoutException layout when layout.kind() == LayoutException.Kind.OPERATION_FAILED -> LESS;
            case LayoutException _ -> "Correct kvbm.model.*, kvbm.host.alignment or kvbm.host.blocks.";
            case ConfigException _ -> "Correct the properties under kvbm, or the ModelIdentity bean.";
            case NixlException nixl when nixl.kind() == NixlException.Kind.SETUP_FAILED -> UNREGISTERED;
            case CudaException cuda when cuda.kind() == CudaException.Kind.SETUP_FAILED
                    || cuda.kind() == CudaException.Kind.OUT_OF_MEMORY -> NO_GPU;
            default -> null;
        };
        // everything else comes from using a cache, not from making it
        return action == null
                ? null
                : new FailureAnalysis("The KV-cache block manager cannot be made: " + cause.getMessage() + ".", action,
                        cause);
    }
}
