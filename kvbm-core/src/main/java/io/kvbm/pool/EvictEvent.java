package io.kvbm.pool;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

import io.kvbm.storage.CacheLevel;

/** Registered blocks that were dropped for one call, as JDK Flight Recorder keeps it: {@code kvbm.Evict}. */
@Name("kvbm.Evict")
@Label("KV Block Eviction")
@Category("KV Cache")
@Description("Registered blocks were dropped to be filled anew")
@StackTrace(false)
@SuppressWarnings("UnusedVariable") // the recorder reads the fields
final class EvictEvent extends Event {

    @Label("Tier")
    private String tier = "";

    @Label("Blocks")
    private int blocks;

    @Label("Blocks Left")
    @Description("Registered blocks that nobody holds and that could be evicted next")
    private int left;

    private EvictEvent() {}

    static void happened(CacheLevel level, int evicted, int inactive) {
        EvictEvent event = new EvictEvent();
        if (event.shouldCommit()) {
            event.tier = level.tier();
            event.blocks = evicted;
            event.left = inactive;
            event.commit();
        }
    }
}
