package io.kvbm.sample.engine;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;
import io.kvbm.error.Decision;
import io.kvbm.error.KvbmException;
import io.kvbm.sample.engine.Completion.FinishReason;
import io.kvbm.sample.model.Decoder;
import io.kvbm.sample.model.DecoderCall;
import io.kvbm.sample.model.TextTokenizer;

/**
 * Answers prompts greedily, with their K/V in the block manager.
 *
 * <p>
 * Reuse never changes an answer, because which rows are computed in one call depends on the position alone and never on
 * what was cached: a prompt goes through the decoder page by page, then its last part page; generated tokens go one by
 * one, and a page they have filled is computed once more as a page before it is registered. Rows computed one by one
 * differ in the last bits from the same rows computed as a page.
 *
 * <p>
 * A request is admitted when the cache has blocks for all its tokens, so that none has to wait or fail half-way.
 */
public final class CompletionEngine implements AutoCloseable {

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
     * @param tenant whose cache is used
     * @param stops texts that end the answer and are not part of it
     * @throws RefusedException where the request cannot be served
     */
    public Completion complete(String prompt, int maxTokens, List<String> stops, String tenant)
            throws InterruptedException {
        if (!waiting.tryAcquire()) {
            throw new RefusedException(RefusedException.Reason.TOO_MANY_REQUESTS, limits.waiting()
                    + " requests are waiting or computed, which is the limit; try again later");
        }
        try {
            return admit(prompt, maxTokens, stops, tenant);
        } finally {
            waiting.release();
        }
    }

    private Completion admit(String prompt, int maxTokens, List<String> stops, String tenant)
            throws InterruptedException {
        int[] tokens = promptTokens(prompt);
        requirePossible(tokens.length, maxTokens);
        int needed = blocksFor(tokens.length + maxTokens);
        if (!blocks.tryAcquire(needed, limits.patience().toMillis(), TimeUnit.MILLISECONDS)) {
            throw overloaded(needed);
        }
        Future<Completion> answer;
        try {
            answer = threads.submit(() -> compute(tokens, maxTokens, stops, tenant, needed));
        } catch (RejectedExecutionException e) {
            blocks.release(needed);
            throw overloaded(needed);
        }
        try {
            return answer.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException failure ? failure : new IllegalStateException(e.getCause());
        }
    }

    /** Runs on a thread of the engine, which alone touches the sequence, also when nobody waits for the answer. */
    private Completion compute(int[] tokens, int maxTokens, List<String> stops, String tenant, int needed)
            throws InterruptedException {
        try (KvSequence sequence = manager.open(tokens, tenant, limits.patience())) {
            return generate(sequence, tokens, maxTokens, stops);
        } catch (KvbmException e) {
            if (e.decision() == Decision.RETRY) {
                throw overloaded(needed);
            }
            throw e;
        } finally {
            blocks.release(needed);
        }
    }

    private Completion generate(KvSequence sequence, int[] prompt, int maxTokens, List<String> stops) {
        int[] tokens = Arrays.copyOf(prompt, prompt.length + maxTokens);
        int length = prompt.length;
        try (DecoderCall call = new DecoderCall(decoder, pageSize, tokens.length)) {
            int next = prefill(sequence, call, tokens, length);
            while (true) {
                if (decoder.config().endsAnswer(next)) {
                    return completion(sequence, tokens, prompt.length, length, FinishReason.STOP, stops);
                }
                if (length == tokens.length) {
                    return completion(sequence, tokens, prompt.length, length, FinishReason.LENGTH, stops);
                }
                tokens[length++] = next;
                sequence.append(next);
                if (hasStop(tokens, prompt.length, length, stops)) {
                    return completion(sequence, tokens, prompt.length, length, FinishReason.STOP, stops);
                }
                if (length == tokens.length) {
                    return completion(sequence, tokens, prompt.length, length, FinishReason.LENGTH, stops);
                }
                int from = length % pageSize == 0 ? length - pageSize : length - 1;
                next = call.run(tokens, from, length, sequence.blocks());
                sequence.computed(length);
            }
        }
    }

    private int prefill(KvSequence sequence, DecoderCall call, int[] tokens, int length) {
        int next = 0;
        for (int from = sequence.reusedTokens(); from < length;) {
            int to = Math.min(from + pageSize, length);
            next = call.run(tokens, from, to, sequence.blocks());
            sequence.computed(to);
            from = to;
        }
        return next;
    }

    private boolean hasStop(int[] tokens, int from, int to, List<String> stops) {
        if (stops.isEmpty()) {
            return false;
        }
        String text = tokenizer.decode(Arrays.copyOfRange(tokens, from, to));
        return stops.stream().anyMatch(text::contains);
    }

    private Completion completion(KvSequence sequence, int[] tokens, int from, int to, FinishReason finish,
            List<String> stops) {
        String text = tokenizer.decode(Arrays.copyOfRange(tokens, from, to));
        int end = stops.stream().mapToInt(text::indexOf).filter(at -> at >= 0).min().orElse(text.length());
        return new Completion(text.substring(0, end), from, sequence.reusedTokens(), to - from, finish);
    }

    private int[] promptTokens(String prompt) {
        if (prompt.isEmpty()) {
            throw new RefusedException(RefusedException.Reason.EMPTY_PROMPT,
                    "The prompt is empty; give at least one character");
        }
        if (prompt.length() > limits.promptCharacters()) {
            throw new RefusedException(RefusedException.Reason.CONTEXT_LENGTH_EXCEEDED, "The prompt has "
                    + prompt.length() + " characters, over the limit of " + limits.promptCharacters()
                    + "; shorten it");
        }
        int[] text = tokenizer.encode(prompt, decoder.config().contextLength());
        int[] tokens = new int[text.length + 1];
        tokens[0] = decoder.config().bosTokenId();
        System.arraycopy(text, 0, tokens, 1, text.length);
        return tokens;
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
                || blocks.innerDim() != model.kvHeads() * model.headDim() || blocks.dtype().bytes() != Float.BYTES) {
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
