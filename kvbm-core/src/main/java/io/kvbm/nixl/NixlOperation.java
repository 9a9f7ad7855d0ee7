package io.kvbm.nixl;

/** Which way a request moves bytes. */
public enum NixlOperation {
    /** From the remote memory into the local one. */
    GET(0),
    /** From the local memory into the remote one. */
    PUT(1);

    private final int code;

    NixlOperation(int code) {
        this.code = code;
    }

    /** As the C API numbers it. */
    int code() {
        return code;
    }
}
