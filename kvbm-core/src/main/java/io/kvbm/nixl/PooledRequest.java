package io.kvbm.nixl;

import java.nio.IntBuffer;

/**
 * A request and what it moves, by which it is found when the same is to be moved again.
 *
 * @param move what it moves
 * @param request the request
 */
record PooledRequest(Move move, NixlRequest request) {

    /**
     * Which ranges of prepared lists are moved, in pairs, and in which direction.
     *
     * @param operation the direction
     * @param local the list of this process
     * @param localIndices which of its ranges
     * @param remote the list of the other agent
     * @param remoteIndices which of its ranges
     */
    record Move(NixlOperation operation, PreparedList local, IntBuffer localIndices, PreparedList remote,
            IntBuffer remoteIndices) {

        /** Of arrays that are not changed afterwards. */
        Move(NixlOperation operation, PreparedList local, int[] localIndices, PreparedList remote,
                int[] remoteIndices) {
            this(operation, local, IntBuffer.wrap(localIndices), remote, IntBuffer.wrap(remoteIndices));
        }

        NixlRequest request(NixlBackend backend) {
            return backend.request(operation, local, localIndices.array(), remote, remoteIndices.array());
        }
    }
}
