package io.kvbm.sample.engine;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.pool.LeakDetection;
import io.kvbm.sample.model.Decoder;
import io.kvbm.sample.model.ModelFiles;
import io.kvbm.sample.model.Prompt;
import io.kvbm.sample.model.Provider;
import io.kvbm.sample.model.TextTokenizer;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;

/** A model over a cache of chosen size. */
final class EngineFixture implements AutoCloseable {

    static final int PAGE = 16;

    private static final List<String> WORDS = List.of("the", "file", "returns", "a", "list", "of", "names", "when",
            "called", "with", "an", "object", "and", "str", "is", "not", "None", "raise", "an", "error", "if", "it",
            "cannot", "open", "path", "given", "by", "module", "for", "each", "class", "def", "value", "key", "1",
            "42");

    final KvBlockManager manager;
    final CompletionEngine engine;

    /** The memory of the cache. */
    final List<HostStorage> memory = new ArrayList<>();

    final Decoder decoder;
    final TextTokenizer tokenizer;

    EngineFixture(int blocks) {
        this(blocks, "classpath:/model/");
    }

    EngineFixture(int blocks, String model) {
        this(blocks, model, LeakDetection.FULL, PAGE);
    }

    EngineFixture(int blocks, String model, LeakDetection leakDetection, int page) {
        ModelFiles files = ModelFiles.at(model);
        this.decoder = new Decoder(files, Provider.CPU);
        this.manager = KvBlockManager.create(KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(7).build())
                .model(KvManagerModelConfig.of(decoder.config().identity(page)))
                .leakDetection(leakDetection)
                .hostLayout(KvManagerLayoutConfig.builder().numBlocks(blocks).allocator(this::remembered).build())
                .build());
        this.tokenizer = new TextTokenizer(files);
        this.engine = new CompletionEngine(manager, decoder, tokenizer,
                new EngineLimits(Duration.ofSeconds(60), 2, 1024, 1 << 18));
    }

    private HostStorage remembered(long size) {
        HostStorage storage = HostAllocator.create().allocate(size);
        memory.add(storage);
        return storage;
    }

    /** The answer that a cache nobody else uses gives, so computed in full. */
    Completion withoutReuse(String prompt, int maxTokens, String tenant) throws InterruptedException {
        Completion answer = complete(prompt, maxTokens, tenant);
        if (answer.cachedTokens() != 0) {
            throw new AssertionError("Tenant " + tenant + " is not fresh");
        }
        return answer;
    }

    Completion complete(String prompt, int maxTokens, String tenant) throws InterruptedException {
        return engine.complete(new GenerationRequest(Prompt.of(prompt), OptionalInt.of(maxTokens), List.of(),
                Sampling.GREEDY, tenant));
    }

    static String text(Random random, int words) {
        List<String> text = new ArrayList<>(words);
        for (int i = 0; i < words; i++) {
            text.add(WORDS.get(random.nextInt(WORDS.size())));
        }
        return String.join(" ", text);
    }

    @Override
    public void close() {
        engine.close();
        manager.close();
        decoder.close();
        tokenizer.close();
    }
}
