package io.kvbm.storage;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongConsumer;

import io.kvbm.error.StorageException;

/**
 * Has the operating system back a mapping with memory, piece by piece from the start, and tells how far it got. A page
 * that was not backed before it is touched can kill the process when memory has run out; one that was cannot.
 */
final class Reservation {

    private static final long PIECE_BYTES = 32L << 20;

    private final long size;
    private final Backing backing;
    private final MemoryLimits.Promise promise;
    private final List<Listener> listeners = new ArrayList<>();
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private volatile boolean stopped;
    private long reserved;

    Reservation(long size, Backing backing, MemoryLimits.Promise promise) {
        this.size = size;
        this.backing = backing;
        this.promise = promise;
    }

    /** Backs one piece of the mapping with memory, or throws a {@link StorageException}. */
    @FunctionalInterface
    interface Backing {

        void back(long offset, long size);
    }

    /** Backs everything, in the calling thread. */
    void run() {
        try {
            for (long at = 0; at < size && !stopped; at += PIECE_BYTES) {
                long piece = Math.min(PIECE_BYTES, size - at);
                backing.back(at, piece);
                promise.kept(piece);
                advance(at + piece);
            }
            if (stopped) {
                done.completeExceptionally(new StorageException(StorageException.Kind.OPERATION_FAILED,
                        "The storage was closed when " + reserved() + " of " + size + " bytes were reserved"));
            } else {
                done.complete(null);
            }
        } catch (RuntimeException | Error e) {
            done.completeExceptionally(e);
        } finally {
            promise.close();
        }
    }

    /** Makes {@link #run()} return after the piece it is at. */
    void stop() {
        stopped = true;
    }

    synchronized long reserved() {
        return reserved;
    }

    CompletionStage<Void> done() {
        return done.minimalCompletionStage();
    }

    /** Tells the listener a number at once and larger ones later, from whichever thread. */
    void onReserved(LongConsumer listener) {
        Listener told = new Listener(listener);
        long now;
        synchronized (this) {
            listeners.add(told);
            now = reserved;
        }
        told.tell(now);
    }

    private void advance(long to) {
        List<Listener> due;
        synchronized (this) {
            reserved = to;
            due = List.copyOf(listeners);
        }
        if (!stopped) {
            due.forEach(listener -> listener.tell(to));
        }
    }

    /** Two threads may have news for a listener; the older news is dropped. */
    private static final class Listener {

        private final LongConsumer consumer;
        private long told = -1;

        private Listener(LongConsumer consumer) {
            this.consumer = consumer;
        }

        private synchronized void tell(long bytes) {
            if (bytes > told) {
                told = bytes;
                consumer.accept(bytes);
            }
        }
    }
}
