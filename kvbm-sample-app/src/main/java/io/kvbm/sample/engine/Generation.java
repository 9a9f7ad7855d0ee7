package io.kvbm.sample.engine;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.LinkedBlockingQueue;

import org.jspecify.annotations.Nullable;

/**
 * An answer while it is computed. One thread takes its text, piece by piece; closing it before its end gives the cache
 * blocks back after the call of the decoder that is running.
 */
public final class Generation implements AutoCloseable {

    private sealed interface Event {}

    private record Text(String piece) implements Event {}

    private record End(Completion completion) implements Event {}

    private record Failure(RuntimeException cause) implements Event {}

    /** Bounded by the tokens that were asked for. */
    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private volatile boolean closed;
    private @Nullable Completion completion;

    Generation() {}

    /**
     * Waits for more text.
     *
     * @return the next piece; null where the answer is over
     * @throws RefusedException where the request cannot be served after all
     */
    public @Nullable String next() throws InterruptedException {
        if (completion != null) {
            return null;
        }
        return switch (events.take()) {
            case Text text -> text.piece();
            case End end -> {
                completion = end.completion();
                yield null;
            }
            case Failure failure -> throw failure.cause();
        };
    }

    /** Waits for the whole answer. */
    public Completion completion() throws InterruptedException {
        while (completion == null) {
            next();
        }
        return completion;
    }

    void offer(String piece) {
        if (!piece.isEmpty()) {
            events.add(new Text(piece));
        }
    }

    void end(Completion answer) {
        events.add(new End(answer));
    }

    void fail(RuntimeException cause) {
        events.add(new Failure(cause));
    }

    /** Ends the computation where nobody waits for it any more. */
    void requireOpen() {
        if (closed) {
            throw new CancellationException("Nobody waits for the answer");
        }
    }

    @Override
    public void close() {
        closed = true;
    }
}
