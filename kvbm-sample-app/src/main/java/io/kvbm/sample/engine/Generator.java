package io.kvbm.sample.engine;

import java.util.Arrays;
import java.util.random.RandomGenerator;

import io.kvbm.KvSequence;
import io.kvbm.sample.engine.Completion.FinishReason;
import io.kvbm.sample.model.DecoderCall;
import io.kvbm.sample.model.TextTokenizer;

/**
 * Computes one answer over one sequence.
 *
 * <p>
 * Reuse never changes an answer, because which rows are computed in one call depends on the position alone and never on
 * what was cached: a prompt goes through the decoder page by page, then its last part page; generated tokens go one by
 * one, and a page they have filled is computed once more as a page before it is registered. Rows computed one by one
 * differ in the last bits from the same rows computed as a page.
 */
final class Generator {

    private final TextTokenizer tokenizer;
    private final KvSequence sequence;
    private final DecoderCall call;
    private final Generation generation;
    private final int pageSize;
    private final int promptTokens;
    private final int[] tokens;
    private final AnswerText text;
    private final Sampling sampling;
    private final RandomGenerator random;

    Generator(TextTokenizer tokenizer, KvSequence sequence, DecoderCall call, Generation generation, int pageSize,
            int[] prompt, int maxTokens, GenerationRequest request) {
        this.tokenizer = tokenizer;
        this.sequence = sequence;
        this.call = call;
        this.generation = generation;
        this.pageSize = pageSize;
        this.promptTokens = prompt.length;
        this.tokens = Arrays.copyOf(prompt, prompt.length + maxTokens);
        this.text = new AnswerText(tokenizer, request.stops());
        this.sampling = request.sampling();
        this.random = sampling.random();
    }

    Completion run() {
        int length = promptTokens;
        int next = prefill();
        while (!tokenizer.endsAnswer(next)) {
            tokens[length++] = next;
            sequence.append(next);
            text.add(next);
            if (text.stopped()) {
                return completion(length, FinishReason.STOP);
            }
            if (length == tokens.length) {
                return completion(length, FinishReason.LENGTH);
            }
            generation.offer(text.take());
            next = compute(length % pageSize == 0 ? length - pageSize : length - 1, length);
        }
        return completion(length, FinishReason.STOP);
    }

    private int prefill() {
        int next = 0;
        for (int from = sequence.reusedTokens(); from < promptTokens;) {
            int to = Math.min(from + pageSize, promptTokens);
            next = compute(from, to);
            from = to;
        }
        return next;
    }

    /** The token after those from {@code from} to {@code to}, which is chosen only where it is the answer's. */
    private int compute(int from, int to) {
        generation.requireOpen();
        var logits = call.run(tokens, from, to, sequence.blocks());
        int next = to < promptTokens ? 0 : sampling.choose(logits, random);
        sequence.computed(to);
        return next;
    }

    private Completion completion(int length, FinishReason finish) {
        text.end();
        generation.offer(text.takeRest());
        return new Completion(text.toString(), promptTokens, sequence.reusedTokens(), sequence.peerTokens(), pageSize,
                length - promptTokens,
                text.stopped() ? FinishReason.STOP : finish);
    }
}
