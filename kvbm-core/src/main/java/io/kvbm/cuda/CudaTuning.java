package io.kvbm.cuda;

/**
 * From which sizes on bytes are moved by which means. The defaults are reasoned, not yet measured on a GPU.
 *
 * @param copiesFrom bytes of a piece from which on each is a copy of its own; smaller ones are moved by a kernel, many in
 *        one launch
 * @param stagedFrom bytes that lie together in host memory, on average, from which on small pieces are gathered in
 *        device memory and cross the bus in such runs; with fewer the kernel itself reads or writes host memory
 */
public record CudaTuning(long copiesFrom, long stagedFrom) {

    /** What is used unless something else is given. */
    public static final CudaTuning DEFAULT = new CudaTuning(256 << 10, 256 << 10);
}
