package io.kvbm.transfer;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.KvbmException;

/** A transfer that is under way or over. Its blocks are not reused before it is over, whoever closes their handles. */
public final class Transfer {

    private final TransferControl control;
    private final CompletableFuture<Void> completion = new CompletableFuture<>();

    Transfer(TransferControl control) {
        this.control = control;
    }

    /**
     * Completes when the last byte has arrived, or exceptionally with a {@link io.kvbm.error.TransferException} when no
     * further byte will be written.
     */
    public CompletionStage<Void> completion() {
        return completion.minimalCompletionStage();
    }

    /**
     * Waits for the completion.
     *
     * @throws io.kvbm.error.TransferException where the transfer failed or was ended
     */
    public void join() {
        try {
            completion.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof KvbmException failure) {
                throw failure;
            }
            throw e;
        }
    }

    /** Asks the transfer to stop; {@link #completion()} says when it has. */
    public void cancel() {
        control.cancel();
    }

    TransferControl control() {
        return control;
    }

    void over(@Nullable Throwable failure) {
        if (failure == null) {
            completion.complete(null);
        } else {
            completion.completeExceptionally(failure);
        }
    }
}
