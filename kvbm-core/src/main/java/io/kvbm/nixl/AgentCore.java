package io.kvbm.nixl;

import java.util.concurrent.locks.ReentrantLock;

/**
 * What everything that belongs to one agent shares. It refers to no object that a user holds.
 *
 * @param lock held during every call, as NIXL's agents take none by themselves and what a call is given must not be
 *        closed under it
 * @param out what calls write to, while the lock is held
 * @param indices what calls read from, while the lock is held
 */
record AgentCore(NixlApi api, CLibrary c, ReentrantLock lock, Out out, Indices indices, LeakNet net, String name,
        NativeHandle handle) {

    /** The agent itself, while the lock is held. */
    long pointer() {
        return handle.pointer();
    }
}
