package io.kvbm.remote;

import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockId;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.TransferException;
import io.kvbm.layout.BlockLayout;

/**
 * What is moved between blocks of this worker and those of one block set of another: the content of each source into the
 * destination at the same place. Making a request checks that the lists fit together and are of one block set; who
 * is named and whether the shapes are equal is checked before a byte moves.
 */
public sealed interface RemoteRequest permits GetRequest, PutRequest {

    /** The bytes of a notification in UTF-8 at most. */
    int MAX_NOTIFICATION_BYTES = 4096;

    /** The blocks of this worker. */
    List<? extends BlockHandle> local();

    /** The blocks of the other worker, in the same order. */
    List<RemoteBlock> remote();

    /** What the other worker's application is told when the last byte has arrived; empty for nothing. */
    String notification();

    /** The other worker, unsigned. */
    default long workerId() {
        return remote().getFirst().id().workerId();
    }

    /** The block set of the other worker. */
    default int blockSet() {
        return remote().getFirst().id().blockSet();
    }

    /** The slots of the other worker's blocks. */
    default int[] slots() {
        return remote().stream().mapToInt(RemoteBlock::index).toArray();
    }

    /**
     * Checks who is named: no destination twice, and no destination that is also a source.
     *
     * @throws TransferException {@code INVALID_REQUEST}
     */
    void validateBlocks();

    /**
     * Checks that both blocks of each pair have the same layers, outer parts, region size and element type.
     *
     * @throws TransferException {@code SHAPE_MISMATCH}
     */
    default void validateShapes() {
        for (int i = 0; i < remote().size(); i++) {
            BlockLayout ours = local().get(i).layout();
            BlockLayout theirs = remote().get(i).layout();
            if (ours.numLayers() != theirs.numLayers() || ours.outerDim() != theirs.outerDim()
                    || ours.pageSize() != theirs.pageSize() || ours.regionSize() != theirs.regionSize()
                    || ours.dtype() != theirs.dtype()) {
                throw new TransferException(TransferException.Kind.SHAPE_MISMATCH,
                        "Pair " + i + " of the request is " + ours.config() + " here and " + theirs.config()
                                + " at the other worker; move between blocks of one shape");
            }
        }
    }

    /** Refuses lists that do not fit together. */
    static void requirePairs(List<? extends BlockHandle> local, List<RemoteBlock> remote, int sources,
            int destinations) {
        if (sources != destinations) {
            throw new TransferException(TransferException.Kind.COUNT_MISMATCH, sources
                    + " sources cannot be moved into " + destinations + " destinations; give as many of each");
        }
        if (local.isEmpty()) {
            throw new TransferException(TransferException.Kind.NO_BLOCKS,
                    "The request names no block; give at least one source and one destination");
        }
        BlockId first = remote.getFirst().id();
        for (RemoteBlock block : remote) {
            if (block.id().workerId() != first.workerId() || block.id().blockSet() != first.blockSet()) {
                throw invalid("Blocks " + first + " and " + block.id()
                        + " are of different block sets; make a request for each");
            }
        }
    }

    /** Refuses a destination that is named twice or is also a source. */
    static void requireApart(List<BlockId> sources, List<BlockId> destinations) {
        Set<BlockId> targets = new HashSet<>();
        for (BlockId destination : destinations) {
            if (!targets.add(destination)) {
                throw invalid("Block " + destination
                        + " is named twice as a destination; name every destination once");
            }
        }
        for (BlockId source : sources) {
            if (targets.contains(source)) {
                throw invalid("Block " + source
                        + " is both a source and a destination; copy between different blocks");
            }
        }
    }

    /** Refuses a text that is too long to be sent. */
    static String requireShort(String notification) {
        int bytes = notification.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_NOTIFICATION_BYTES) {
            throw invalid("The notification has " + bytes + " bytes, over the limit of " + MAX_NOTIFICATION_BYTES
                    + "; send a reference instead");
        }
        return notification;
    }

    private static TransferException invalid(String why) {
        return new TransferException(TransferException.Kind.INVALID_REQUEST, why);
    }
}
