package io.kvbm.error;

/** What a caller does about a {@link KvbmException}, so that nobody parses its text. */
public enum Decision {
    /** The same call may succeed later; nothing was changed. */
    RETRY,
    /** The data is not to be had; go on as if it had never been cached. */
    MISS,
    /** The call, the configuration or the state is wrong; repeating it cannot help. */
    FATAL
}
