package io.kvbm.cuda;

import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.IntToLongFunction;

/** The ranges of host memory that are page-locked, by their first address, unsigned. */
final class PinnedRanges {

    private final ConcurrentSkipListMap<Long, Long> ranges = new ConcurrentSkipListMap<>(Long::compareUnsigned);

    void add(long address, long size) {
        ranges.put(address, size);
    }

    void remove(long address) {
        ranges.remove(address);
    }

    /** Whether every byte of these runs lies in one range with the others of its run. */
    boolean cover(int count, IntToLongFunction start, long bytes) {
        long low = 0;
        long size = 0;
        for (int n = 0; n < count; n++) {
            long at = start.applyAsLong(n);
            if (Long.compareUnsigned(at - low, size) >= 0) {
                Map.Entry<Long, Long> range = ranges.floorEntry(at);
                if (range == null) {
                    return false;
                }
                low = range.getKey();
                size = range.getValue();
            }
            if (Long.compareUnsigned(at - low, size) >= 0 || size - (at - low) < bytes) {
                return false;
            }
        }
        return true;
    }
}
