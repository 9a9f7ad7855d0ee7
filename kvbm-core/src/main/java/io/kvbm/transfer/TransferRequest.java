package io.kvbm.transfer;

import java.util.ArrayList;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.Block;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.TransferException;
import io.kvbm.layout.BlockLayout;

/**
 * What a transfer moves: the content of each source into the destination at the same place of the list, for a range of
 * layers. Making a request checks only that the lists fit together; a {@link TransferDispatcher} checks everything else
 * before it moves a byte. A request that is executed again is pinned again, and its names and shapes are not
 * compared again.
 */
public final class TransferRequest {

    private static final int ALL_LAYERS = Integer.MAX_VALUE;

    private final List<? extends BlockHandle> sources;
    private final List<MutableBlock> destinations;
    private final int firstLayer;
    private final int endLayer;

    /** What was found valid stays so, as blocks change neither name nor layout; two threads may both find it. */
    private boolean validNames;
    private boolean validShapes;
    private @Nullable TransferStrategy strategy;

    private TransferRequest(List<? extends BlockHandle> sources, List<MutableBlock> destinations, int firstLayer,
            int endLayer) {
        if (sources.size() != destinations.size()) {
            throw new TransferException(TransferException.Kind.COUNT_MISMATCH, sources.size()
                    + " sources cannot be put into " + destinations.size() + " destinations; give as many of each");
        }
        if (sources.isEmpty()) {
            throw new TransferException(TransferException.Kind.NO_BLOCKS,
                    "The request names no block; give at least one source and one destination");
        }
        // the list of one call of a pool never changes
        this.sources = sources instanceof BlockList<?> ? sources : List.copyOf(sources);
        this.destinations = destinations instanceof BlockList<?> ? destinations : List.copyOf(destinations);
        this.firstLayer = firstLayer;
        this.endLayer = endLayer;
    }

    /** A put of whole blocks. */
    public static TransferRequest put(List<? extends BlockHandle> sources, List<MutableBlock> destinations) {
        return new TransferRequest(sources, destinations, 0, ALL_LAYERS);
    }

    /** Starts a put request. */
    public static Builder put() {
        return new Builder();
    }

    /** Where the bytes come from. */
    public List<? extends BlockHandle> sources() {
        return sources;
    }

    /** Where the bytes go to. */
    public List<MutableBlock> destinations() {
        return destinations;
    }

    /** The first layer that is moved. */
    public int firstLayer() {
        return firstLayer;
    }

    /** The layer after the last one that is moved. */
    public int endLayer() {
        return Math.min(endLayer, sources.getFirst().layout().numLayers());
    }

    /**
     * Checks who is named: no destination twice, and no destination that is also a source. A source may be named more
     * than once.
     *
     * @throws TransferException {@code INVALID_REQUEST}
     */
    public void validateBlocks() {
        if (validNames) {
            return;
        }
        Targets targets = new Targets(destinations);
        for (BlockHandle source : sources) {
            if (targets.contains(source)) {
                throw new TransferException(TransferException.Kind.INVALID_REQUEST, "Block " + source.id()
                        + " is both a source and a destination; copy between different blocks");
            }
        }
        validNames = true;
    }

    /**
     * Checks that each pair has the same layers, outer parts, region size and element type, as many heads where their
     * order differs, and that the range of layers is not empty.
     *
     * @throws TransferException {@code SHAPE_MISMATCH} or {@code INVALID_REQUEST}
     */
    public void validateShapes() {
        if (validShapes) {
            return;
        }
        for (int i = 0; i < sources.size(); i++) {
            BlockLayout source = sources.get(i).layout();
            BlockLayout destination = destinations.get(i).layout();
            if (source == destination) {
                continue;
            }
            same("layers", source.numLayers(), destination.numLayers(), i);
            same("outer parts", source.outerDim(), destination.outerDim(), i);
            same("tokens per page", source.pageSize(), destination.pageSize(), i);
            same("bytes per region", source.regionSize(), destination.regionSize(), i);
            same("element type", source.dtype(), destination.dtype(), i);
            if (source.headOrder() != destination.headOrder()) {
                same("heads", source.heads(), destination.heads(), i);
            }
        }
        boolean pastTheLast = endLayer != ALL_LAYERS && endLayer != endLayer();
        if (firstLayer < 0 || firstLayer >= endLayer() || pastTheLast) {
            throw new TransferException(TransferException.Kind.INVALID_REQUEST,
                    "Layers " + firstLayer + " to " + endLayer + " (exclusive) are asked for of blocks that have "
                            + sources.getFirst().layout().numLayers());
        }
        validShapes = true;
    }

    /**
     * The one way by which the bytes of all pairs move.
     *
     * @throws TransferException {@code INCOMPATIBLE_TYPES} where there is none
     */
    TransferStrategy strategy() {
        TransferStrategy found = strategy;
        if (found == null) {
            found = strategy(0);
            for (int i = 1; i < sources.size(); i++) {
                if (strategy(i) != found) {
                    throw new TransferException(TransferException.Kind.INCOMPATIBLE_TYPES,
                            "Pair 0 of the request moves by " + found + " and pair " + i + " by " + strategy(i)
                                    + "; split the request");
                }
            }
            strategy = found;
        }
        return found;
    }

    private TransferStrategy strategy(int pair) {
        return TransferStrategy.write(sources.get(pair).storageType(), destinations.get(pair).storageType());
    }

    /**
     * Checks that no byte of a destination is a byte of a source or of another destination, whatever the blocks are
     * called. It compares every pair of regions and is meant for debugging.
     *
     * @throws TransferException {@code INVALID_REQUEST}
     */
    public void validateAddresses() {
        AddressRanges ranges = new AddressRanges();
        destinations.forEach(ranges::add);
        sources.forEach(ranges::addShared);
        ranges.requireDisjoint();
    }

    private static void same(String what, Object source, Object destination, int pair) {
        if (!source.equals(destination)) {
            throw new TransferException(TransferException.Kind.SHAPE_MISMATCH, "Pair " + pair + " of the request has "
                    + source + " " + what + " at the source and " + destination + " at the destination");
        }
    }

    /** Names sources and destinations one after the other. */
    public static final class Builder {

        private @Nullable List<? extends BlockHandle> sources;
        private @Nullable List<MutableBlock> destinations;
        private int firstLayer;
        private int endLayer = ALL_LAYERS;

        private Builder() {}

        /** Where the bytes come from. */
        public Builder from(List<? extends BlockHandle> blocks) {
            this.sources = blocks;
            return this;
        }

        /** Where the bytes go to. */
        public Builder to(List<MutableBlock> blocks) {
            this.destinations = blocks;
            return this;
        }

        /** Moves the layers {@code first} to {@code end} (exclusive) only. */
        public Builder layers(int first, int end) {
            this.firstLayer = first;
            this.endLayer = end;
            return this;
        }

        /** The request. */
        public TransferRequest build() {
            return new TransferRequest(sources == null ? List.of() : sources,
                    destinations == null ? List.of() : destinations, firstLayer, endLayer);
        }
    }

    /** The address ranges of a request, some of which may coincide. */
    private static final class AddressRanges {

        private record Range(long start, long end, Block block, boolean shared) {}

        private final List<Range> ranges = new ArrayList<>();

        void add(BlockHandle block) {
            add(block, false);
        }

        void addShared(BlockHandle block) {
            add(block, true);
        }

        private void add(BlockHandle block, boolean shared) {
            BlockLayout layout = block.layout();
            for (int layer = 0; layer < layout.numLayers(); layer++) {
                for (int outer = 0; outer < layout.outerDim(); outer++) {
                    long start = block.segment(layer, outer).address();
                    ranges.add(new Range(start, start + layout.regionSize(), block, shared));
                }
            }
        }

        void requireDisjoint() {
            ranges.sort((a, b) -> Long.compareUnsigned(a.start, b.start));
            Range widest = ranges.getFirst();
            for (Range range : ranges.subList(1, ranges.size())) {
                if (Long.compareUnsigned(range.start, widest.end) < 0 && !(range.shared && widest.shared)) {
                    throw new TransferException(TransferException.Kind.INVALID_REQUEST,
                            "The memory of block " + range.block.id() + " overlaps that of block " + widest.block.id()
                                    + "; copy between different memory");
                }
                if (Long.compareUnsigned(range.end, widest.end) > 0) {
                    widest = range;
                }
            }
        }
    }
}
