package io.kvbm.remote;

import io.kvbm.storage.CacheLevel;

/**
 * A block set of another worker that is to be indexed.
 *
 * @param level the level its events name, which no other indexed set of the worker has
 * @param blockSet the number of the set at its worker
 * @param slots the number of its blocks, at least 1
 */
public record IndexedLevel(CacheLevel level, int blockSet, int slots) {

    /** Refuses a set without blocks. */
    public IndexedLevel {
        if (slots < 1) {
            throw new IllegalArgumentException("Block set " + blockSet + " of " + slots + " blocks is to be indexed");
        }
    }

    /** The set that a worker exports. */
    public static IndexedLevel of(ExportedLevel exported) {
        return new IndexedLevel(exported.level(), exported.blockSet(), exported.numBlocks());
    }
}
