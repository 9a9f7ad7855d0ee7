package io.kvbm;

import java.util.ArrayList;
import java.util.List;

import io.kvbm.error.FirstFailure;

/**
 * A request to stop that travels from a parent to its children, never back. Cancelling runs the registered actions once,
 * in the cancelling thread, each whether or not another one throws. A child that was cancelled is forgotten by its
 * parent.
 */
public final class CancellationToken {

    private final List<Runnable> actions = new ArrayList<>();
    private boolean cancelled;

    /** A token without a parent. */
    public CancellationToken() {}

    /** A token that is cancelled with this one, and may be cancelled on its own. */
    public CancellationToken child() {
        CancellationToken child = new CancellationToken();
        Runnable byParent = child::cancel;
        child.onCancel(() -> remove(byParent));
        onCancel(byParent);
        return child;
    }

    /** Runs the action when the token is cancelled; at once where it is already. */
    public void onCancel(Runnable action) {
        synchronized (actions) {
            if (!cancelled) {
                actions.add(action);
                return;
            }
        }
        action.run();
    }

    /** How many actions and children wait. */
    int actions() {
        synchronized (actions) {
            return actions.size();
        }
    }

    private void remove(Runnable action) {
        synchronized (actions) {
            actions.remove(action);
        }
    }

    /** Cancels this token and its children; further calls do nothing. What the first action threw is thrown at the end. */
    public void cancel() {
        List<Runnable> due;
        synchronized (actions) {
            if (cancelled) {
                return;
            }
            cancelled = true;
            due = List.copyOf(actions);
            actions.clear();
        }
        FirstFailure failure = new FirstFailure();
        due.forEach(failure::attempt);
        failure.rethrow();
    }

    /** Whether the token was cancelled. */
    public boolean isCancelled() {
        synchronized (actions) {
            return cancelled;
        }
    }
}
