package io.kvbm.event;

/**
 * Where a pool puts its events. It is called under the pool's lock, so that the order of events is the order of what
 * happened: an implementation takes note of the event and returns, without blocking, throwing, or calling the pool.
 */
@FunctionalInterface
public interface EventSink {

    /** A sink that wants none, for which no event is even made. */
    EventSink NONE = new EventSink() {
        @Override
        public void publish(KvEvent event) {}

        @Override
        public boolean wanted() {
            return false;
        }
    };

    /** Takes note of an event. */
    void publish(KvEvent event);

    /** Whether anybody wants events now; where not, none are made. */
    default boolean wanted() {
        return true;
    }
}
