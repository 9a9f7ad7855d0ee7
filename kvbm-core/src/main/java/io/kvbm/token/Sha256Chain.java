package io.kvbm.token;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.DigestException;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * The SHA-256 identities of consecutive blocks, four words each: SHA-256(parent's 32 bytes, tokens little endian),
 * where the parent of the first block is the root. One thread at a time.
 */
final class Sha256Chain {

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private final byte[] root;
    private final MessageDigest digest = Sha256.newDigest();
    private long[] words;

    Sha256Chain(byte[] root) {
        this(root, new long[0]);
    }

    private Sha256Chain(byte[] root, long[] words) {
        this.root = root;
        this.words = words;
    }

    Sha256Chain copy(int blocks) {
        return new Sha256Chain(root, Arrays.copyOf(words, blocks * Sha256.WORDS));
    }

    void reserve(int blocks) {
        int needed = Math.multiplyExact(blocks, Sha256.WORDS);
        if (needed > words.length) {
            words = Arrays.copyOf(words, Math.max(needed, words.length + (words.length >> 1)));
        }
    }

    long word(int block, int word) {
        return words[block * Sha256.WORDS + word];
    }

    /**
     * Adds {@code count} blocks behind the first {@code size}. Their tokens lie in {@code bytes} behind
     * {@link TokenHasher#HEADROOM_BYTES}. Each digest is written right before the tokens of the next block, over what
     * has been digested already, so that parent and tokens are one run of bytes: the buffer is spent afterwards.
     */
    void extend(byte[] bytes, int size, int count, int pageSize) {
        int blockBytes = pageSize * Integer.BYTES;
        putParent(bytes, size);
        try {
            for (int i = 0; i < count; i++) {
                int parentAt = i * blockBytes;
                digest.update(bytes, parentAt, Sha256.BYTES + blockBytes);
                int digestAt = parentAt + blockBytes;
                digest.digest(bytes, digestAt, Sha256.BYTES);
                int at = (size + i) * Sha256.WORDS;
                words[at] = (long) LONGS.get(bytes, digestAt);
                words[at + 1] = (long) LONGS.get(bytes, digestAt + 8);
                words[at + 2] = (long) LONGS.get(bytes, digestAt + 16);
                words[at + 3] = (long) LONGS.get(bytes, digestAt + 24);
            }
        } catch (DigestException e) {
            throw new AssertionError("32 bytes are room for a SHA-256 digest", e);
        }
    }

    private void putParent(byte[] bytes, int size) {
        if (size == 0) {
            System.arraycopy(root, 0, bytes, 0, Sha256.BYTES);
            return;
        }
        int at = (size - 1) * Sha256.WORDS;
        for (int i = 0; i < Sha256.WORDS; i++) {
            LONGS.set(bytes, i * Long.BYTES, words[at + i]);
        }
    }
}
