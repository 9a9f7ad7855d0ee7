package io.kvbm.sample.model;

import java.util.OptionalInt;
import java.util.stream.Stream;

import tools.jackson.databind.JsonNode;

import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.token.ModelIdentity;

/**
 * What a decoder is: the geometry of its graph, under the names and limits of {@code config.json}.
 *
 * @param modelId the model's name
 * @param revision digest of its weights
 * @param dtype element type of K and V
 * @param layers transformer layers
 * @param kvHeads K/V heads per layer
 * @param headDim elements per head and token
 * @param contextLength the most tokens of prompt and answer together
 * @param vocabSize the number of tokens there are
 */
public record ModelConfig(String modelId, String revision, DType dtype, int layers, int kvHeads, int headDim,
        int contextLength, int vocabSize) {

    /**
     * Reads the configuration beside a graph. What it does not state the graph does; what both state has to be equal.
     */
    static ModelConfig of(ModelFiles files, DecoderGraph graph) {
        JsonNode json = files.json("config.json");
        JsonNode text = json.path("text_config").isObject() ? json.path("text_config") : json;
        OptionalInt heads = stated(text, "num_attention_heads", "n_head", "n_heads", "num_heads");
        OptionalInt hidden = stated(text, "hidden_size", "n_embd", "d_model");
        OptionalInt kvHeads = text.path("multi_query").asBoolean(false) ? OptionalInt.of(1)
                : either(stated(text, "num_key_value_heads", "num_kv_heads", "n_kv_heads"), heads);
        OptionalInt headDim = heads.isEmpty() || hidden.isEmpty() ? stated(text, "head_dim")
                : either(stated(text, "head_dim"), OptionalInt.of(hidden.getAsInt() / heads.getAsInt()));
        String name = json.path("_name_or_path").asString("");
        return new ModelConfig(name.isBlank() ? files.name() : name, files.revision(), graph.dtype(),
                same("layers", stated(text, "num_hidden_layers", "n_layer", "n_layers", "num_layers"), graph.layers()),
                same("K/V heads", kvHeads, graph.kvHeads()), same("elements per head", headDim, graph.headDim()),
                contextLength(text), same("tokens in its vocabulary", stated(text, "vocab_size"), graph.vocabSize()));
    }

    private static int contextLength(JsonNode json) {
        return stated(json, "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length",
                "seq_length")
                .orElseThrow(() -> new IllegalStateException("config.json does not state how long the model's context"
                        + " is; set max_position_embeddings to the most tokens of prompt and answer together"));
    }

    private static OptionalInt stated(JsonNode json, String... names) {
        return Stream.of(names).map(json::path).filter(JsonNode::isInt).mapToInt(JsonNode::intValue).findFirst();
    }

    private static OptionalInt either(OptionalInt first, OptionalInt second) {
        return first.isPresent() ? first : second;
    }

    private static int same(String what, OptionalInt stated, int inGraph) {
        if (inGraph == DecoderGraph.ANY) {
            return stated.orElseThrow(() -> new IllegalStateException("Neither config.json nor model.onnx states the "
                    + what + "; export the model again with its configuration beside it"));
        }
        if (stated.isPresent() && stated.getAsInt() != inGraph) {
            throw new IllegalStateException("config.json states " + stated.getAsInt() + " " + what
                    + ", but model.onnx has " + inGraph + "; both files must be of one model");
        }
        return inGraph;
    }

    /** What makes blocks of this model interchangeable between instances: K and V, head-major in a block. */
    public ModelIdentity identity(int pageSize) {
        return ModelIdentity.builder()
                .modelId(modelId)
                .revision(revision)
                .dtype(dtype.name())
                .layers(layers)
                .outer(2)
                .heads(kvHeads)
                .headDim(headDim)
                .headOrder(HeadOrder.HND)
                .pageSize(pageSize)
                .build();
    }
}
