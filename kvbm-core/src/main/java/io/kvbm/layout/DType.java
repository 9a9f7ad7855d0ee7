package io.kvbm.layout;

/** The element type of K/V data. */
public enum DType {
    /** 8-bit float of unstated format. */
    FP8(1),
    /** 8-bit float, 4 exponent and 3 mantissa bits, without infinities. */
    FP8_E4M3(1),
    /** {@link #FP8_E4M3} without a negative zero, as AMD's accelerators use it. */
    FP8_E4M3FNUZ(1),
    /** 8-bit float, 5 exponent and 2 mantissa bits. */
    FP8_E5M2(1),
    /** {@link #FP8_E5M2} without a negative zero, as AMD's accelerators use it. */
    FP8_E5M2FNUZ(1),
    /** IEEE 754 half. */
    FP16(2),
    /** bfloat16. */
    BF16(2),
    /** IEEE 754 single. */
    FP32(4),
    /** Unsigned 8-bit integer. */
    U8(1),
    /** Unsigned 16-bit integer. */
    U16(2),
    /** Unsigned 32-bit integer. */
    U32(4),
    /** Unsigned 64-bit integer. */
    U64(8),
    /** Signed 8-bit integer. */
    I8(1),
    /** Signed 16-bit integer. */
    I16(2),
    /** Signed 32-bit integer. */
    I32(4),
    /** Signed 64-bit integer. */
    I64(8);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes per element. */
    public int bytes() {
        return bytes;
    }
}
