package io.kvbm.remote;

/** Whom the application has put up to hear what other workers want it to know. */
@FunctionalInterface
public interface NotificationListener {

    /**
     * Takes a notification, in the thread that serves the other worker. What it throws is counted and logged.
     *
     * @param worker who sent it, unsigned
     * @param text what it says
     */
    void onNotification(long worker, String text);
}
