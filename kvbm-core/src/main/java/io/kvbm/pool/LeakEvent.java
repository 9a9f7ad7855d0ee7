package io.kvbm.pool;

import java.util.List;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A leak, as JDK Flight Recorder keeps it: {@code kvbm.Leak}. */
@Name("kvbm.Leak")
@Label("KV Block Leak")
@Category("KV Cache")
@Description("Blocks that nobody gave back were taken back")
@StackTrace(false) // the collector's tells nothing
@SuppressWarnings("UnusedVariable") // the recorder reads the fields
final class LeakEvent extends Event {

    @Label("What")
    private String what = "";

    @Label("Blocks")
    private int blocks;

    @Label("Opened At")
    @Description("Where it was opened; empty where that was not noted")
    private String site = "";

    private LeakEvent() {}

    static void happened(String what, int blocks, List<String> site) {
        LeakEvent event = new LeakEvent();
        if (event.shouldCommit()) {
            event.what = what;
            event.blocks = blocks;
            event.site = String.join("\n", site);
            event.commit();
        }
    }
}
