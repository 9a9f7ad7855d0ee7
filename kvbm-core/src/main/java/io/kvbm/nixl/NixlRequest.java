package io.kvbm.nixl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.NixlException;

/**
 * A transfer that can be posted again and again: the same ranges each time, as the bytes are when it is posted. Posting
 * and asking for the state allocate nothing.
 */
public final class NixlRequest implements AutoCloseable {

    /** How far a request is. */
    public enum State {
        /** It was not posted yet. */
        IDLE,
        /** It is under way; its local memory belongs to it. */
        ACTIVE,
        /** All bytes were moved. */
        DONE,
        /** It failed; which bytes were moved is unknown. */
        FAILED
    }

    private final NixlBackend backend;
    private final AgentCore core;
    private final RemoteAgent remote;
    private final NativeHandle handle;
    private final Cleaner.Cleanable net;
    private final Announcement announcement;

    /** Held, as a list that nobody holds is closed by its net, and the request with it. */
    private final List<PreparedList> lists;

    private State state = State.IDLE;
    private @Nullable NixlException failure;

    private NixlRequest(NixlBackend backend, RemoteAgent remote, NativeHandle handle, Announcement announcement,
            List<PreparedList> lists) {
        this.backend = backend;
        this.core = backend.core();
        this.remote = remote;
        this.handle = handle;
        this.announcement = announcement;
        this.lists = lists;
        this.net = core.net().cast(this, handle);
    }

    /** Called under the lock of the agent. */
    static NixlRequest of(NixlBackend backend, RemoteAgent remote, String name, long pointer,
            List<NativeHandle> foundations, List<PreparedList> lists) {
        AgentCore core = backend.core();
        Announcement announcement = new Announcement(core.api());
        NativeHandle handle = new NativeHandle(core.lock(), name, pointer, request -> {
            announcement.close();
            int status = core.api().releaseXferReq(core.pointer(), request);
            core.api().destroyXferReq(request);
            NixlStatus.check(status, "nixl_capi_release_xfer_req", NixlException.Kind.BACKEND_FAILED,
                    name + " was not cancelled; its memory may still be written until the agent is closed");
        }, foundations);
        return new NixlRequest(backend, remote, handle, announcement, lists);
    }

    /** The prepared lists that it is made of; none where its ranges were given themselves. */
    public List<PreparedList> lists() {
        return lists;
    }

    /** The agent whose memory is the other side. */
    public RemoteAgent remote() {
        return remote;
    }

    /**
     * Starts the transfer; again, where it was posted before.
     *
     * @return {@code DONE} where it ended at once, or {@code ACTIVE}
     * @throws NixlException {@code ACTIVE} where it is still under way, {@code DISCONNECTED} where it cannot be started
     */
    public State post() {
        core.lock().lock();
        try {
            long request = handle.pointer();
            return post(request, backend.options());
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Starts the transfer; when all bytes are moved, the remote agent is sent a message.
     *
     * @return {@code DONE} where it ended at once, or {@code ACTIVE}
     * @throws NixlException as {@link #post()}
     */
    public State post(byte[] message) {
        core.lock().lock();
        try {
            long request = handle.pointer();
            return post(request, announcement.saying(message, backend));
        } finally {
            core.lock().unlock();
        }
    }

    private State post(long request, long options) {
        if (state == State.ACTIVE && settled(core.api().getXferStatus(core.pointer(), request),
                "nixl_capi_get_xfer_status") == State.ACTIVE) {
            throw new NixlException(NixlException.Kind.ACTIVE, "nixl_capi_post_xfer_req", null,
                    handle + " is still under way; ask for its state until it is not, then post it again");
        }
        return settled(core.api().postXferReq(core.pointer(), request, options), "nixl_capi_post_xfer_req");
    }

    /**
     * How far it is. While it is under way asking is also what moves it on.
     *
     * @throws NixlException {@code DISCONNECTED} where it failed, and again whenever it is asked
     */
    public State state() {
        core.lock().lock();
        try {
            if (failure != null) {
                throw failure;
            }
            long request = handle.pointer();
            return state == State.ACTIVE
                    ? settled(core.api().getXferStatus(core.pointer(), request), "nixl_capi_get_xfer_status")
                    : state;
        } finally {
            core.lock().unlock();
        }
    }

    private State settled(int status, String function) {
        State now = settle(status, function);
        if (failure != null) {
            throw failure;
        }
        return now;
    }

    private State settle(int status, String function) {
        if (NixlStatus.IN_PROG.is(status)) {
            state = State.ACTIVE;
        } else if (NixlStatus.SUCCESS.is(status)) {
            state = State.DONE;
        } else {
            state = State.FAILED;
            failure = remote.lost(status, function);
        }
        return state;
    }

    /** Whether it was posted and is not known to have ended well, so that its bytes may still be moved. */
    boolean isInDoubt() {
        core.lock().lock();
        try {
            return state == State.ACTIVE || state == State.FAILED;
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Gives it back.
     *
     * @throws NixlException {@code ACTIVE} where it is under way: its memory is still being moved
     */
    @Override
    public void close() {
        core.lock().lock();
        try {
            if (handle.isOpen() && state == State.ACTIVE
                    && settle(core.api().getXferStatus(core.pointer(), handle.pointer()),
                            "nixl_capi_get_xfer_status") == State.ACTIVE) {
                throw new NixlException(NixlException.Kind.ACTIVE, "nixl_capi_release_xfer_req", null,
                        handle + " is still under way; wait until it is not, or cancel it");
            }
            cancel();
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Gives it back whether or not it is under way. Where it is, bytes may still arrive until the agent is closed: its
     * memory is not to be used again before. Further calls do nothing.
     */
    public void cancel() {
        handle.close();
        net.clean();
    }

    @Override
    public String toString() {
        return handle.toString();
    }

    /** The arguments with which a request is posted that ends with a message; made when the first is sent. */
    private static final class Announcement {

        private final NixlApi api;
        private long options;

        Announcement(NixlApi api) {
            this.api = api;
        }

        long saying(byte[] message, NixlBackend backend) {
            if (options == 0) {
                options = backend.newOptions();
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, message);
                api.optArgsSetNotifMsg(options, data.address(), message.length);
                api.optArgsSetHasNotif(options, (byte) 1);
            }
            return options;
        }

        void close() {
            if (options != 0) {
                api.destroyOptArgs(options);
                options = 0;
            }
        }
    }
}
