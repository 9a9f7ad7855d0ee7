package io.kvbm.sample.model;

import java.util.Map;
import java.util.Set;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.TensorInfo;
import org.jspecify.annotations.Nullable;

import io.kvbm.layout.DType;

/**
 * What a decoder's graph takes and gives, as far as its inputs and outputs tell.
 *
 * @param layers transformer layers
 * @param kvHeads K/V heads per layer, or {@link #ANY}
 * @param headDim elements per head and token, or {@link #ANY}
 * @param kvType element type of K and V
 * @param takesPositions whether the position of each token is an input
 * @param takesMask whether the mask of the tokens to look at is an input
 * @param logitsType element type of the logits
 * @param lastRowOnly whether there are logits of the last token only, and not of every one
 * @param vocabSize the number of tokens there are, or {@link #ANY}
 */
record DecoderGraph(int layers, int kvHeads, int headDim, OnnxJavaType kvType, boolean takesPositions,
        boolean takesMask, OnnxJavaType logitsType, boolean lastRowOnly, int vocabSize) {

    /** A dimension that the graph leaves open. */
    static final int ANY = -1;

    static final String IDS = "input_ids";
    static final String POSITIONS = "position_ids";
    static final String MASK = "attention_mask";
    static final String LOGITS = "logits";

    private static final Set<String> OF_TOKENS = Set.of(IDS, POSITIONS, MASK);

    static DecoderGraph of(Map<String, NodeInfo> inputs, Map<String, NodeInfo> outputs) {
        int layers = 0;
        while (inputs.containsKey(past(layers, 0))) {
            layers++;
        }
        TensorInfo first = tensor(inputs, past(0, 0), 4);
        for (int layer = 0; layer < layers; layer++) {
            for (int part = 0; part < DecoderCall.PARTS; part++) {
                TensorInfo past = tensor(inputs, past(layer, part), 4);
                TensorInfo present = tensor(outputs, present(layer, part), 4);
                if (past.getShape()[1] != first.getShape()[1] || past.getShape()[3] != first.getShape()[3]
                        || past.type != first.type || present.type != first.type) {
                    throw new IllegalStateException("K and V of layer " + layer + " are " + past + " in and " + present
                            + " out, but K of layer 0 is " + first + "; only models whose layers are alike are served");
                }
            }
        }
        requireKnown(inputs, 2 * layers);
        TensorInfo logits = tensor(outputs, LOGITS, 3);
        return new DecoderGraph(layers, (int) first.getShape()[1], (int) first.getShape()[3], first.type,
                inputs.containsKey(POSITIONS), inputs.containsKey(MASK), logits.type, logits.getShape()[1] == 1,
                (int) logits.getShape()[2]);
    }

    private static void requireKnown(Map<String, NodeInfo> inputs, int pasts) {
        tensor(inputs, IDS, 2);
        int known = pasts;
        for (String name : OF_TOKENS) {
            if (inputs.containsKey(name)) {
                known++;
                if (tensor(inputs, name, 2).type != OnnxJavaType.INT64) {
                    throw new IllegalStateException("The decoder's " + name + " is " + tensor(inputs, name, 2)
                            + "; only 64-bit integers are served");
                }
            }
        }
        if (known != inputs.size()) {
            throw new IllegalStateException("The decoder takes " + inputs.keySet() + ", of which only " + OF_TOKENS
                    + " and past_key_values.N.key and .value are known; export it for text generation with past");
        }
    }

    private static TensorInfo tensor(Map<String, NodeInfo> nodes, String name, int dimensions) {
        @Nullable
        NodeInfo node = nodes.get(name);
        if (node == null || !(node.getInfo() instanceof TensorInfo tensor)
                || tensor.getShape().length != dimensions) {
            throw new IllegalStateException("The decoder has no " + name + " of " + dimensions
                    + " dimensions; export it for text generation with past");
        }
        return tensor;
    }

    DType dtype() {
        return switch (kvType) {
            case FLOAT -> DType.FP32;
            case FLOAT16 -> DType.FP16;
            case BFLOAT16 -> DType.BF16;
            default -> throw new IllegalStateException("K and V are " + kvType
                    + "; only FLOAT, FLOAT16 and BFLOAT16 are served");
        };
    }

    static String past(int layer, int part) {
        return "past_key_values." + layer + suffix(part);
    }

    static String present(int layer, int part) {
        return "present." + layer + suffix(part);
    }

    private static String suffix(int part) {
        return part == 0 ? ".key" : ".value";
    }
}
