package io.kvbm.sample.model;

/** What the decoder is computed by. */
public enum Provider {
    /** A GPU where ONNX Runtime can use one, the CPU else. */
    AUTO,
    /** The CPU. */
    CPU,
    /** A GPU; without one the start fails. */
    CUDA
}
