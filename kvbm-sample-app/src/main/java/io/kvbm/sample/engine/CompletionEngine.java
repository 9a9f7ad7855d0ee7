package io.kvbm.sample.engine;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;
import io.kvbm.error.Decision;
import io.kvbm.error.KvbmException;
import io.kvbm.sample.model.Decoder;
import io.kvbm.sample.model.DecoderCall;
import io.kvbm.sample.model.Prompt;
import io.kvbm.sample.model.TextTokenizer;

/**
 * Answers prompts, with their K/V in the block manager.
 *
 * <p>
 * A request is admitted when the cache has blocks for all its tokens, so that none has to wait or fail half-way.
 */
public final class CompletionEngine implements AutoCloseable {

    /** Tokens of an answer whose length nobody said. */
    private static final int USUAL_ANSWER = 256;

    private final KvBlockManager manager;
    private final Decoder decoder;
    private final TextTokenizer tokenizer;
    private final EngineLimits limits;
    private final Semaphore waiting;
    private final int pageSize;
    private final int cacheBlocks;
    private final Semaphore blocks;
    private final ExecutorService threads;

    /**
     * An engine over a manager's host level.
     *
     * @throws IllegalStateException where the manager's blocks do not have the decoder's geometry, or are on a GPU
     */
    public CompletionEngine(KvBlockManager manager, Decoder decoder, TextTokenizer tokenizer, EngineLimits limits) {
        requireGeometry(manager, decoder);
        this.manager = manager;
        this.decoder = decoder;
        this.tokenizer = tokenizer;
        this.limits = limits;
        this.waiting = new Semaphore(limits.waiting());
        this.pageSize = manager.model().pageSize();
        this.cacheBlocks = manager.host().orElseThrow().totalBlocks();
        this.blocks = new Semaphore(cacheBlocks, true);
        this.threads = Executors.newFixedThreadPool(limits.parallelism(),
                Thread.ofPlatform().name("decoder-", 0).stackSize(16L << 20).daemon().factory());
    }

    /** The name of the model. */
    public String model() {
        return decoder.config().modelId();
    }

    /**
     * Answers a prompt.
     *
     * @throws RefusedException where the request cannot be served
     */
    public Completion complete(GenerationRequest request) throws InterruptedException {
        try (Generation generation = start(request)) {
            return generation.completion();
        }
    }

    /**
     * Starts to answer a prompt, as soon as the cache has room for it.
     *
     * @throws RefusedException where the request cannot be served
     */
    public Generation start(GenerationRequest request) throws InterruptedException {
        if (!waiting.tryAcquire()) {
            throw new RefusedException(RefusedException.Reason.TOO_MANY_REQUESTS, limits.waiting()
                    + " requests are waiting or computed, which is the limit; try again later");
        }
        boolean submitted = false;
        try {
            int[] prompt = promptTokens(request.prompt());
            int maxTokens = request.maxTokens()
                    .orElseGet(() -> Math.clamp(decoder.config().contextLength() - prompt.length, 1, USUAL_ANSWER));
            requirePossible(prompt.length, maxTokens);
            Generation generation = admit(request, prompt, maxTokens);
            submitted = true;
            return generation;
        } finally {
            if (!submitted) {
                waiting.release();
            }
        }
    }

    private Generation admit(GenerationRequest request, int[] prompt, int maxTokens) throws InterruptedException {
        int needed = blocksFor(prompt.length + maxTokens);
        if (!blocks.tryAcquire(needed, limits.patience().toMillis(), TimeUnit.MILLISECONDS)) {
            throw overloaded(needed);
        }
        Generation generation = new Generation();
        try {
            threads.execute(() -> compute(request, prompt, maxTokens, generation));
        } catch (RejectedExecutionException e) {
            blocks.release(needed);
            throw overloaded(needed);
        }
        return generation;
    }

    /** Runs on a thread of the engine, which alone touches the sequence, also when nobody waits for the answer. */
    private void compute(GenerationRequest request, int[] prompt, int maxTokens, Generation generation) {
        int needed = blocksFor(prompt.length + maxTokens);
        Completion completion;
        try {
            completion = generate(request, prompt, maxTokens, generation);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            generation.fail(overloaded(needed));
            return;
        } catch (KvbmException e) {
            generation.fail(e.decision() == Decision.RETRY ? overloaded(needed) : e);
            return;
        } catch (RuntimeException | Error e) {
            generation.fail(e instanceof RuntimeException failure ? failure : new IllegalStateException(e));
            return;
        } finally {
            blocks.release(needed);
            waiting.release();
        }
        generation.end(completion);
    }

    private Completion generate(GenerationRequest request, int[] prompt, int maxTokens, Generation generation)
            throws InterruptedException {
        generation.requireOpen();
        try (KvSequence sequence = manager.open(prompt, request.tenant(), limits.patience());
                DecoderCall call = new DecoderCall(decoder, pageSize, prompt.length + maxTokens)) {
            return new Generator(tokenizer, sequence, call, generation, pageSize, prompt, maxTokens, request).run();
        }
    }

    private int[] promptTokens(Prompt prompt) {
        if (prompt.text().isEmpty()) {
            throw empty();
        }
        if (prompt.text().length() > limits.promptCharacters()) {
            throw new RefusedException(RefusedException.Reason.CONTEXT_LENGTH_EXCEEDED, "The prompt has "
                    + prompt.text().length() + " characters, over the limit of " + limits.promptCharacters()
                    + "; shorten it");
        }
        int[] tokens = tokenizer.encode(prompt, decoder.config().contextLength());
        if (tokens.length == 0) {
            throw empty();
        }
        return tokens;
    }

    private static RefusedException empty() {
        return new RefusedException(RefusedException.Reason.EMPTY_PROMPT,
                "The prompt is empty; give at least one character");
    }

    private void requirePossible(int promptTokens, int maxTokens) {
        int context = decoder.config().contextLength();
        if (maxTokens > context - promptTokens) {
            throw new RefusedException(RefusedException.Reason.CONTEXT_LENGTH_EXCEEDED,
                    "This model's context is " + context + " tokens, but the prompt has "
                            + (promptTokens > context ? "more" : Integer.toString(promptTokens)) + " and "
                            + maxTokens + " are to be generated; shorten the prompt or lower max_tokens");
        }
        int needed = blocksFor(promptTokens + maxTokens);
        if (needed > cacheBlocks) {
            throw new RefusedException(RefusedException.Reason.CACHE_TOO_SMALL,
                    "The request needs " + needed + " cache blocks of " + pageSize + " tokens and the cache has "
                            + cacheBlocks + "; shorten the prompt or enlarge kvbm.host.size");
        }
    }

    private RefusedException overloaded(int needed) {
        return new RefusedException(RefusedException.Reason.OVERLOADED, "The request needs " + needed + " of "
                + cacheBlocks + " cache blocks, which did not become free within " + limits.patience()
                + "; try again later");
    }

    private int blocksFor(int tokens) {
        return Math.ceilDiv(tokens, pageSize);
    }

    private static void requireGeometry(KvBlockManager manager, Decoder decoder) {
        var blocks = manager.model();
        var model = decoder.config();
        if (blocks.numLayers() != model.layers() || blocks.outerDim() != 2
                || blocks.innerDim() != model.kvHeads() * model.headDim() || blocks.dtype() != model.dtype()) {
            throw new IllegalStateException("The block manager's blocks (" + blocks + ") do not fit the model " + model
                    + "; give the manager the model's ModelIdentity");
        }
        if (manager.device().isPresent()) {
            throw new IllegalStateException("The block manager keeps the K/V of sequences on a GPU, and the Java API of"
                    + " ONNX Runtime reads and writes host memory only; leave kvbm.device.size and kvbm.device.blocks"
                    + " out");
        }
    }

    @Override
    public void close() {
        threads.close();
    }
}
