package io.kvbm.simulation;

import java.lang.foreign.MemorySegment;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.remote.WriteLease;
import io.kvbm.remote.Writer;

/** A lease to write, as owner and writer see it. */
final class Grant {

    /** Of bytes that nothing is promised of. */
    static final long UNKNOWN = -1;

    final Life owner;
    final Life writer;
    final WriteLease lease;
    final BlockList<MutableBlock> blocks;
    final List<List<MemorySegment>> memory;
    final long deadline;

    /** The writer's own list of the blocks, as soon as it has one. */
    @Nullable
    List<RemoteBlock> seen;

    /** The owner has closed its handles. */
    boolean closed;

    /** The time was over, or the owner wanted the blocks back. */
    boolean over;

    /** The owner knows that nothing is written any more. */
    boolean ended;

    /** The writer will write no more. */
    boolean stopped;

    /** A put is under way. */
    boolean putting;

    /** Copies of the owner that are under way. */
    int pulls;

    /** What the last put that has begun fills the blocks with. */
    long newest = UNKNOWN;

    /** What the blocks are filled with. */
    long known = UNKNOWN;

    Grant(Life owner, Life writer, WriteLease lease, BlockList<MutableBlock> blocks, long deadline) {
        this.owner = owner;
        this.writer = writer;
        this.lease = lease;
        this.blocks = blocks;
        this.memory = blocks.stream().map(Bytes::parts).toList();
        this.deadline = deadline;
    }

    boolean asks() {
        return lease.kind() == Writer.ASKS;
    }

    /** Whether the blocks may not be used for anything else. */
    boolean holds() {
        return !closed || leased() || pulls > 0;
    }

    boolean leased() {
        return !ended && !(over && asks());
    }

    boolean writes() {
        return !asks() && !stopped && writer.isThere() && owner.isThere();
    }

    /** Whether the writer may put: into what it has been told of, be it long ago. */
    boolean mayPut() {
        return asks() && writer.isRunning() && !putting && (seen != null || owner.isThere());
    }

    boolean holdsBytes(long number) {
        return memory.stream().allMatch(block -> Bytes.areAll(block, number));
    }
}
