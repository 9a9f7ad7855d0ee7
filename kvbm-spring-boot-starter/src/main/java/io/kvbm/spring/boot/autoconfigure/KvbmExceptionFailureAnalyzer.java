package io.kvbm.spring.boot.autoconfigure;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

import io.kvbm.error.KvbmException;
import io.kvbm.error.LayoutException;
import io.kvbm.error.StorageException;

/** Says what the core refused and which properties it was made from. */
final class KvbmExceptionFailureAnalyzer extends AbstractFailureAnalyzer<KvbmException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, KvbmException cause) {
        String action = switch (cause) {
            case StorageException _ -> "Lower kvbm.host.size or kvbm.host.blocks, or give the process more memory.";
            case LayoutException layout when layout
                    .kind() == LayoutException.Kind.OPERATION_FAILED -> "Lower kvbm.host.size or kvbm.host.blocks, or give the process more memory.";
            case LayoutException _ -> "Correct kvbm.model.*, kvbm.host.alignment or kvbm.host.blocks.";
            default -> "Correct the properties under kvbm, or the ModelIdentity bean.";
        };
        return new FailureAnalysis("The KV-cache block manager cannot be made: " + cause.getMessage() + ".", action,
                cause);
    }
}
