package io.kvbm.sample.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

import ai.onnxruntime.OnnxJavaType;

/** How likely each token is to come next, as the logarithm of something proportional to it. */
public final class Logits {

    private final MemorySegment memory;
    private final OnnxJavaType type;
    private final int tokens;

    Logits(MemorySegment memory, OnnxJavaType type, int tokens) {
        this.memory = memory;
        this.type = type;
        this.tokens = tokens;
    }

    /** The number of tokens there are. */
    public int tokens() {
        return tokens;
    }

    /** The logit of a token. */
    public float of(int token) {
        return switch (type) {
            case FLOAT -> memory.getAtIndex(ValueLayout.JAVA_FLOAT, token);
            case FLOAT16 -> Float.float16ToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, token));
            case BFLOAT16 -> Float.intBitsToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, token) << Short.SIZE);
            default -> throw new IllegalStateException("Logits are " + type
                    + "; only FLOAT, FLOAT16 and BFLOAT16 are served");
        };
    }

    /** The most likely token. */
    public int mostLikely() {
        int best = 0;
        float highest = Float.NEGATIVE_INFINITY;
        for (int token = 0; token < tokens; token++) {
            float value = of(token);
            if (value > highest) {
                highest = value;
                best = token;
            }
        }
        return best;
    }
}
