package io.kvbm.transfer;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Blocks that were moved, as JDK Flight Recorder keeps it: {@code kvbm.Transfer}. Nothing is done unless it records. */
@Name("kvbm.Transfer")
@Label("KV Block Transfer")
@Category("KV Cache")
@Description("Blocks were moved from one place to another")
@StackTrace(false)
@SuppressWarnings("UnusedVariable") // the recorder reads the fields
public final class TransferEvent extends Event {

    @Label("Way")
    @Description("The strategy within this worker, or how the memory of a peer was read")
    private String way = "";

    @Label("Blocks")
    private int blocks;

    @Label("Size")
    @DataAmount
    private long bytes;

    @Label("Failed")
    private boolean failed;

    private TransferEvent() {}

    /** A transfer that begins now. */
    public static TransferEvent begun() {
        TransferEvent event = new TransferEvent();
        event.begin();
        return event;
    }

    /**
     * Ends it.
     *
     * @param by the way
     * @param count blocks that were moved, or were to be
     * @param size their bytes
     * @param hasFailed whether it is not known how much of it has been moved
     */
    public void ended(String by, int count, long size, boolean hasFailed) {
        if (shouldCommit()) {
            way = by;
            blocks = count;
            bytes = size;
            failed = hasFailed;
            commit();
        }
    }
}
