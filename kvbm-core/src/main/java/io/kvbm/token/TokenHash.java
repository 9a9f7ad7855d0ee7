package io.kvbm.token;

import java.util.Objects;

import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;

/**
 * The definition of salt hash, block hash and sequence hash: XXH3, 64 bits, default secret, as the routers and workers
 * of Dynamo compute them. Every hash is an unsigned 64-bit number in a {@code long}. For many blocks use
 * {@link TokenHasher}, which keeps its buffers.
 */
public final class TokenHash {

    /** The salt hash of sequences whose stored events a router matches with its own block hashes. */
    public static final long DEFAULT_SALT_HASH = 1337;

    /** The salt hash of sequences without a salt. */
    public static final long NO_SALT_HASH = 0;

    private static final Hasher64 UNSALTED = Hashing.xxh3_64(NO_SALT_HASH);
    private static final Hasher64 DEFAULT_SALTED = Hashing.xxh3_64(DEFAULT_SALT_HASH);

    private TokenHash() {}

    /** The salt hash of a raw salt: the hash of its bytes with seed 0. */
    public static long saltHash(byte[] salt) {
        return UNSALTED.hashBytesToLong(salt, 0, salt.length);
    }

    /**
     * The hash of the tokens from index {@code from}, inclusive, to {@code to}, exclusive: each as four bytes, little
     * endian, with the salt hash as seed.
     */
    public static long blockHash(int[] tokens, int from, int to, long saltHash) {
        Objects.checkFromToIndex(from, to, tokens.length);
        return new TokenHasher(saltHash).blockHash(tokens, from, to);
    }

    /**
     * The sequence hash of a block with a parent: the hash of sixteen bytes, the parent's sequence hash and then the
     * block's own hash, both little endian, with the salt hash as seed. The sequence hash of a block without a parent
     * is its block hash.
     */
    public static long sequenceHash(long parentSequenceHash, long blockHash, long saltHash) {
        return seeded(saltHash).hashLongLongToLong(parentSequenceHash, blockHash);
    }

    /** The hash function with this seed; immutable, for any thread. */
    static Hasher64 seeded(long saltHash) {
        if (saltHash == DEFAULT_SALT_HASH) {
            return DEFAULT_SALTED;
        }
        return saltHash == NO_SALT_HASH ? UNSALTED : Hashing.xxh3_64(saltHash);
    }
}
