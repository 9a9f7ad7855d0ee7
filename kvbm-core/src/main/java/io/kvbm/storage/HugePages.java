package io.kvbm.storage;

/** The pages that host memory is made of. */
public enum HugePages {
    /** The system's base pages. */
    NONE,
    /** Base pages that the kernel may join where it can. */
    TRANSPARENT,
    /** Reserved huge pages. */
    RESERVED
}
