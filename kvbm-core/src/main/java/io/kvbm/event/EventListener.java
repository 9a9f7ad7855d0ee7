package io.kvbm.event;

import java.util.List;

/** A consumer of an {@link EventLog}, called on a thread of its own, one call at a time. */
public interface EventListener {

    /**
     * Takes the next events, in order and without holes: the first has the given sequence number and the others follow
     * it. What it throws is counted and logged, and the next events come all the same.
     */
    void onEvents(long firstSequence, List<KvEvent> events);

    /**
     * Says that events were overwritten before this listener took them, so that what it knows has to be built anew. The
     * next call of {@link #onEvents} starts with {@code next}.
     *
     * @param expected sequence number of the first event that was missed
     * @param next sequence number of the first event still to come
     */
    void onGap(long expected, long next);
}
