package io.kvbm.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

import org.jspecify.annotations.Nullable;

/**
 * What one part of a transfer needs beside the blocks while it is under way: a list of its pieces that the kernel reads,
 * memory on both sides of the bus to gather them in, and the event that tells its end. Used by the thread of its lane.
 */
final class Stage {

    /** How many pieces a part of a transfer has at most. */
    static final int MOST_PIECES = 1 << 14;

    /** How many bytes are gathered at once. */
    static final long BYTES = 8L << 20;

    private static final long PAGE = 4096;
    private static final long PIECE = 2 * Long.BYTES;

    private static final long NONE = 0;

    private final Driver driver;
    private final Releases releases;
    private final MemorySegment list;
    private final Driver.Event event;
    private @Nullable MemorySegment host;
    private long device = NONE;
    private Runnable whenReached = () -> {};
    private boolean underWay;

    /**
     * Makes one for the context of the calling thread.
     *
     * @param releases takes what has to be given back at last
     */
    Stage(Driver driver, Releases releases) {
        this.driver = driver;
        this.releases = releases;
        this.list = pinned(MOST_PIECES * PIECE);
        this.event = driver.createEvent();
        releases.add(() -> driver.destroy(event));
    }

    @SuppressWarnings("MustBeClosedChecker") // the arena is closed with the rest of the lane
    private MemorySegment pinned(long bytes) {
        Arena arena = Arena.ofShared();
        try {
            MemorySegment memory = arena.allocate(bytes, PAGE);
            driver.register(memory.address(), bytes);
            releases.add(arena::close);
            releases.add(() -> driver.unregister(memory.address()));
            return memory;
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** The address of page-locked memory to gather in, which is there from the first time that it is asked for. */
    long host() {
        if (host == null) {
            host = pinned(BYTES);
        }
        return host.address();
    }

    /** The address of device memory to gather in, as {@link #host()}. */
    long device() {
        if (device == NONE) {
            long address = driver.allocate(BYTES);
            releases.add(() -> driver.free(address));
            device = address;
        }
        return device;
    }

    /** Writes the list of pieces for a kernel; returns its address. */
    long list(Pieces pieces) {
        for (int n = 0; n < pieces.count(); n++) {
            list.setAtIndex(ValueLayout.JAVA_LONG, 2L * n, pieces.source(n));
            list.setAtIndex(ValueLayout.JAVA_LONG, 2L * n + 1, pieces.destination(n));
        }
        return list.address();
    }

    /** States that what uses this stage has been put into the stream. */
    void record(Driver.Stream stream, Runnable then) {
        whenReached = then;
        underWay = true;
        driver.record(event, stream);
    }

    /** Whether nothing uses this stage any more; the first time, what was to be done then is done. */
    boolean isFree() {
        if (!underWay) {
            return true;
        }
        if (!driver.isReached(event)) {
            return false;
        }
        underWay = false;
        whenReached.run();
        return true;
    }

    /** Forgets what was under way; it has ended, or never will. */
    void clear() {
        underWay = false;
        whenReached = () -> {};
    }
}
