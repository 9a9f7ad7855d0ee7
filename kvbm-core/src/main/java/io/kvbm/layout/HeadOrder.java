package io.kvbm.layout;

/** The order of the axes of one layer's K or V within a block. */
public enum HeadOrder {

    /** Token, head, dimension: the heads of one token lie side by side. */
    NHD,

    /** Head, token, dimension: the tokens of one head lie side by side. */
    HND
}
