package io.kvbm.bench;

import java.util.concurrent.TimeUnit;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.ThreadParams;

import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.TokenBlockSequence;
import io.kvbm.token.TokenHash;
import io.kvbm.token.TokenHasher;
import io.kvbm.token.Tokens;

/** Hashing a sequence of 8,192 tokens. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class HashBench {

    static final int TOKENS = 8192;

    /** A sequence and where its hashes go. */
    @State(Scope.Thread)
    public static class Sequence {

        @Param({"16", "64"})
        int page;

        int[] tokens = {};
        long[] blockHashes = {};
        long[] sequenceHashes = {};
        TokenHasher hasher = new TokenHasher(TokenHash.DEFAULT_SALT_HASH);

        @Setup
        public void make(ThreadParams thread) {
            tokens = Pools.tokens(thread.getThreadIndex() + 1, TOKENS);
            blockHashes = new long[TOKENS / page];
            sequenceHashes = new long[TOKENS / page];
        }
    }

    /** Into a long[]: what an engine needs to look a prompt up. */
    @Benchmark
    public long[] hash_sequence(Sequence s) {
        s.hasher.hashSequence(s.tokens, 0, TOKENS, s.page, s.blockHashes, 0, s.sequenceHashes, 0);
        return s.sequenceHashes;
    }

    /** With everything a sequence object has. */
    @Benchmark
    public TokenBlockSequence hash_sequence_objects(Sequence s) {
        return new TokenBlockSequence(Tokens.of(s.tokens), s.page, TokenHash.DEFAULT_SALT_HASH);
    }

    @Benchmark
    public TokenBlockSequence hash_append(Sequence s) {
        TokenBlockSequence sequence = new TokenBlockSequence(Tokens.of(), s.page, TokenHash.DEFAULT_SALT_HASH);
        for (int token : s.tokens) {
            sequence.append(token);
        }
        return sequence;
    }

    /** Both the XXH3 hashes and the SHA-256 identities. */
    @Benchmark
    public IdentityChain hash_sequence_sha256(Sequence s) {
        IdentityChain chain = Pools.chain(IdentityKind.SHA256, s.page);
        chain.extend(s.tokens, 0, TOKENS);
        return chain;
    }
}
