package io.kvbm.sample.model;

import java.util.Map;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;

import io.kvbm.layout.HeadOrder;
import io.kvbm.token.ModelIdentity;

/**
 * What {@code config.json} says of the decoder beside it.
 *
 * @param modelId the model's name
 * @param revision digest of its weights
 * @param layers transformer layers
 * @param kvHeads K/V heads per layer
 * @param headDim elements per head and token
 * @param contextLength the most tokens of prompt and answer together
 * @param vocabSize the number of tokens there are
 * @param bosTokenId the token every prompt starts with
 * @param eosTokenId the token that ends an answer
 * @param specialTokens tokens that are no text, by name
 */
@JsonIgnoreProperties(ignoreUnknown = true)
public record ModelConfig(String modelId, String revision, int layers, int kvHeads, int headDim, int contextLength,
        int vocabSize, int bosTokenId, int eosTokenId, Map<String, Integer> specialTokens) {

    /** Whether an answer is over when this token comes: its end, or the start of somebody else's turn. */
    public boolean endsAnswer(int token) {
        return token == eosTokenId || specialTokens.containsValue(token);
    }

    /** What makes blocks of this model interchangeable between instances: fp32 K and V, head-major in a block. */
    public ModelIdentity identity(int pageSize) {
        return ModelIdentity.builder()
                .modelId(modelId)
                .revision(revision)
                .dtype("FP32")
                .layers(layers)
                .outer(2)
                .heads(kvHeads)
                .headDim(headDim)
                .headOrder(HeadOrder.HND)
                .pageSize(pageSize)
                .build();
    }
}
