package io.kvbm.layout;

/** How blocks are laid out in memory. */
public enum LayoutType {
    /** One storage; block after block, in each layer after layer, in each outer part after outer part. */
    FULLY_CONTIGUOUS,
    /** One storage per layer; in each block after block, in each outer part after outer part. */
    LAYER_SEPARATE,
    /** One storage per layer; in each outer part after outer part, in each block after block. */
    LAYER_SEPARATE_OUTER_FIRST
}
