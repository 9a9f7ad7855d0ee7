package io.kvbm.spring.boot.autoconfigure;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Names the property that keeps the block manager from being made. */
final class InvalidKvbmPropertyFailureAnalyzer extends AbstractFailureAnalyzer<InvalidKvbmPropertyException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, InvalidKvbmPropertyException cause) {
        return new FailureAnalysis("The KV-cache block manager cannot be made: " + cause.getMessage() + ".",
                cause.action(), cause);
    }
}
