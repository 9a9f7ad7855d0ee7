package io.kvbm.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import io.kvbm.block.Pin;
import io.kvbm.layout.BlockLayout;
import io.kvbm.transfer.RowOrder;
import io.kvbm.transfer.TransferPlan;

/**
 * What is moved, as runs of bytes of one size, each from one address to another. Differences between the layouts of the
 * two sides are differences of addresses here, and of the order of rows.
 */
final class Pieces {

    private final long[] sources;
    private final long[] destinations;
    private final long bytes;
    private final RowOrder order;

    private Pieces(long[] sources, long[] destinations, long bytes, RowOrder order) {
        this.sources = sources;
        this.destinations = destinations;
        this.bytes = bytes;
        this.order = order;
    }

    /** The pieces of a plan, apart for each pair of layouts. */
    static List<Pieces> of(TransferPlan plan) {
        List<Pieces> all = new ArrayList<>(1);
        List<Pin> sources = plan.sources();
        List<Pin> destinations = plan.destinations();
        for (int from = 0; from < sources.size();) {
            BlockLayout source = sources.get(from).layout();
            BlockLayout destination = destinations.get(from).layout();
            int to = from + 1;
            while (to < sources.size() && sources.get(to).layout().equals(source)
                    && destinations.get(to).layout().equals(destination)) {
                to++;
            }
            all.add(of(sources.subList(from, to), destinations.subList(from, to), plan));
            from = to;
        }
        return all;
    }

    private static Pieces of(List<Pin> sources, List<Pin> destinations, TransferPlan plan) {
        BlockLayout source = sources.getFirst().layout();
        BlockLayout destination = destinations.getFirst().layout();
        RowOrder order = RowOrder.between(source, destination);
        boolean blocks = order.isKept() && plan.allLayers() && source.blockContiguous()
                && destination.blockContiguous();
        boolean layers = order.isKept() && source.layerContiguous() && destination.layerContiguous();
        int first = plan.firstLayer();
        int layersEach = blocks ? 1 : plan.endLayer() - first;
        int partsEach = blocks || layers ? 1 : source.outerDim();
        long bytes = blocks ? source.bytesPerBlock() : layers ? source.layerSize() : source.regionSize();
        int count = Math.multiplyExact(sources.size(), layersEach * partsEach);
        long[] from = new long[count];
        long[] to = new long[count];
        int n = 0;
        for (int i = 0; i < sources.size(); i++) {
            Pin a = sources.get(i);
            Pin b = destinations.get(i);
            for (int layer = first; layer < first + layersEach; layer++) {
                for (int part = 0; part < partsEach; part++) {
                    from[n] = a.address(layer, part);
                    to[n++] = b.address(layer, part);
                }
            }
        }
        return new Pieces(from, to, bytes, order.isKept() ? new RowOrder(1, 1, bytes) : order);
    }

    int count() {
        return sources.length;
    }

    /** Bytes of one piece. */
    long bytes() {
        return bytes;
    }

    RowOrder order() {
        return order;
    }

    long source(int piece) {
        return sources[piece];
    }

    long destination(int piece) {
        return destinations[piece];
    }

    /** The same bytes in pieces of at most so many, where the rows stay in order. */
    List<Pieces> split(long most) {
        if (bytes <= most || !order.isKept()) {
            return List.of(this);
        }
        int whole = Math.toIntExact(bytes / most);
        List<Pieces> parts = new ArrayList<>(2);
        parts.add(parts(whole, most, 0));
        if (bytes % most > 0) {
            parts.add(parts(1, bytes % most, whole * most));
        }
        return parts;
    }

    private Pieces parts(int each, long size, long offset) {
        int count = Math.multiplyExact(count(), each);
        long[] from = new long[count];
        long[] to = new long[count];
        for (int n = 0; n < count; n++) {
            long at = offset + n % each * size;
            from[n] = sources[n / each] + at;
            to[n] = destinations[n / each] + at;
        }
        return new Pieces(from, to, size, new RowOrder(1, 1, size));
    }

    /** Some of the pieces, whose bytes come from one run instead, one after the other. */
    Pieces fromRun(int first, int end, long address) {
        return new Pieces(run(end - first, address), slice(destinations, first, end), bytes, order);
    }

    /** Some of the pieces, whose bytes go into one run instead, one after the other. */
    Pieces intoRun(int first, int end, long address) {
        return new Pieces(slice(sources, first, end), run(end - first, address), bytes, order);
    }

    /** The same with rows that stay where they are. */
    Pieces inOrder() {
        return new Pieces(sources, destinations, bytes, new RowOrder(1, 1, bytes));
    }

    private long[] run(int count, long address) {
        long[] at = new long[count];
        for (int n = 0; n < count; n++) {
            at[n] = address + n * bytes;
        }
        return at;
    }

    private static long[] slice(long[] addresses, int first, int end) {
        return Arrays.copyOfRange(addresses, first, end);
    }

    /** Some of the pieces. */
    Pieces part(int first, int end) {
        return first == 0 && end == count() ? this
                : new Pieces(slice(sources, first, end), slice(destinations, first, end), bytes, order);
    }

    /** The number of pieces from one on that lie behind each other on both sides. */
    int runLength(int first) {
        int next = first + 1;
        while (next < count() && sources[next] == sources[next - 1] + bytes
                && destinations[next] == destinations[next - 1] + bytes) {
            next++;
        }
        return next - first;
    }

    /** Bytes of a run on the side of the sources, on average. */
    long sourceRunBytes() {
        return runBytes(sources);
    }

    /** Bytes of a run on the side of the destinations, on average. */
    long destinationRunBytes() {
        return runBytes(destinations);
    }

    private long runBytes(long[] addresses) {
        int runs = 1;
        for (int n = 1; n < addresses.length; n++) {
            runs += addresses[n] == addresses[n - 1] + bytes ? 0 : 1;
        }
        return addresses.length * bytes / runs;
    }

    /** All addresses and sizes ored together: its low bits tell of what they are multiples. */
    long alignmentBits() {
        long bits = bytes | order.rowBytes();
        for (int n = 0; n < sources.length; n++) {
            bits |= sources[n] | destinations[n];
        }
        return bits;
    }
}
