package io.kvbm.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

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

    private final Driver driver;
    private final MemorySegment list;
    private final MemorySegment host;
    private final long device;
    private final Driver.Event event;
    private Runnable whenReached = () -> {};
    private boolean underWay;

    private Stage(Driver driver, MemorySegment list, MemorySegment host, long device, Driver.Event event) {
        this.driver = driver;
        this.list = list;
        this.host = host;
        this.device = device;
        this.event = event;
    }

    /** Makes one for the context of the calling thread. */
    static Stage create(Driver driver, Releases releases) {
        return new Stage(driver, pinned(driver, MOST_PIECES * PIECE, releases), pinned(driver, BYTES, releases),
                device(driver, releases), event(driver, releases));
    }

    @SuppressWarnings("MustBeClosedChecker") // the arena is closed with the rest of the lane
    private static MemorySegment pinned(Driver driver, long bytes, Releases releases) {
        Arena arena = Arena.ofShared();
        releases.add(arena::close);
        MemorySegment memory = arena.allocate(bytes, PAGE);
        driver.register(memory.address(), bytes);
        releases.add(() -> driver.unregister(memory.address()));
        return memory;
    }

    private static long device(Driver driver, Releases releases) {
        long address = driver.allocate(BYTES);
        releases.add(() -> driver.free(address));
        return address;
    }

    private static Driver.Event event(Driver driver, Releases releases) {
        Driver.Event event = driver.createEvent();
        releases.add(() -> driver.destroy(event));
        return event;
    }

    /** Page-locked memory to gather in. */
    MemorySegment host() {
        return host;
    }

    /** The address of device memory to gather in. */
    long device() {
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
