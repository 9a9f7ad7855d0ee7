package io.kvbm.sample.model;

import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvSequence;
import io.kvbm.layout.DType;
import io.kvbm.storage.HostAllocator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

/** Folders as Optimum writes them, unchanged. */
class ExportedModelTest {

    private static final int PAGE = 16;
    private static final int TOKENS = 100;

    @ParameterizedTest
    @CsvSource({"gpt2, gpt2, FP32, 4", "llama, tests/llama, FP32, 2", "llama-fp16, tests/llama-fp16, FP16, 1"})
    void isWhatItsFilesSay(String folder, String modelId, DType dtype, int kvHeads) {
        try (Decoder decoder = new Decoder(files(folder), Provider.CPU)) {
            ModelConfig config = decoder.config();
            assertThat(config.modelId()).isEqualTo(modelId);
            assertThat(config.dtype()).isEqualTo(dtype);
            assertThat(config.layers()).isEqualTo(2);
            assertThat(config.kvHeads()).isEqualTo(kvHeads);
            assertThat(config.headDim()).isEqualTo(8);
            assertThat(config.contextLength()).isEqualTo(512);
            assertThat(config.revision()).matches("[0-9a-f]{64}");
        }
    }

    /** Page by page with K/V out of the cache's blocks, against the graph's own run over all tokens at once. */
    @ParameterizedTest
    @CsvSource({"gpt2, 1e-4", "llama, 1e-4", "llama-fp16, 2e-2"})
    void computesFromTheCacheWhatItComputesWithout(String folder, float tolerance) throws Exception {
        ModelFiles files = files(folder);
        try (Decoder decoder = new Decoder(files, Provider.CPU); KvBlockManager manager = manager(decoder.config())) {
            int[] tokens = new Random(3).ints(TOKENS, 4, decoder.config().vocabSize()).toArray();
            float[] whole = withoutCache(decoder, files, tokens);
            for (String reader : List.of("who computes", "who finds")) {
                try (KvSequence sequence = manager.open(tokens, "");
                        DecoderCall call = new DecoderCall(decoder, PAGE, TOKENS)) {
                    assertThat(sequence.reusedTokens()).as(reader).isEqualTo(reader.equals("who finds") ? 96 : 0);
                    for (int from = sequence.reusedTokens(); from < TOKENS - PAGE; from += PAGE) {
                        call.run(tokens, from, from + PAGE, sequence.blocks());
                        sequence.computed(from + PAGE);
                    }
                    Logits logits = call.run(tokens, TOKENS / PAGE * PAGE, TOKENS, sequence.blocks());
                    for (int token = 0; token < whole.length; token++) {
                        assertThat(logits.of(token)).as("%s, logit %d", reader, token)
                                .isCloseTo(whole[token], within(tolerance));
                    }
                }
            }
        }
    }

    private static float[] withoutCache(Decoder decoder, ModelFiles files, int[] tokens) throws Exception {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        ModelConfig config = decoder.config();
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions();
                OrtSession session = files.session(options)) {
            long[] ids = Arrays.stream(tokens).asLongStream().toArray();
            inputs.put("input_ids", longs(environment, ids));
            inputs.put("attention_mask", longs(environment, LongStream.generate(() -> 1).limit(ids.length).toArray()));
            if (session.getInputNames().contains("position_ids")) {
                inputs.put("position_ids", longs(environment, LongStream.range(0, ids.length).toArray()));
            }
            for (String name : session.getInputNames()) {
                if (name.startsWith("past")) {
                    inputs.put(name, OnnxTensor.createTensor(environment, ByteBuffer.allocateDirect(0),
                            new long[]{1, config.kvHeads(), 0, config.headDim()}, decoder.graph().kvType()));
                }
            }
            try (OrtSession.Result result = session.run(inputs)) {
                float[][][] logits = (float[][][]) result.get("logits").orElseThrow().getValue();
                return logits[0][tokens.length - 1];
            }
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    private static OnnxTensor longs(OrtEnvironment environment, long[] values) throws Exception {
        return OnnxTensor.createTensor(environment, LongBuffer.wrap(values), new long[]{1, values.length});
    }

    private static KvBlockManager manager(ModelConfig config) {
        return KvBlockManager.create(KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(7).build())
                .model(KvManagerModelConfig.of(config.identity(PAGE)))
                .hostLayout(KvManagerLayoutConfig.builder().numBlocks(32).allocator(HostAllocator.create()).build())
                .build());
    }

    private static ModelFiles files(String folder) {
        return ModelFiles.at("classpath:/models/" + folder);
    }
}
