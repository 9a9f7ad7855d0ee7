package io.kvbm.event;

/** Who feeds the listeners of an {@link EventLog}. */
public enum EventDelivery {
    /** A virtual thread for each listener. */
    THREADS,

    /** Whoever calls {@link EventLog#deliver}. */
    BY_HAND
}
