package io.kvbm.token;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.HexFormat;

import org.jspecify.annotations.Nullable;

/**
 * A SHA-256 digest of everything that must agree before the cached content of one worker may serve another: see
 * {@link ModelIdentity}. Where the content lies (stride, alignment, kind of memory) is no part of it.
 */
public final class ContentFingerprint {

    /** Length in bytes. */
    public static final int BYTES = Sha256.BYTES;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private final long word0;
    private final long word1;
    private final long word2;
    private final long word3;

    private ContentFingerprint(byte[] digest) {
        word0 = (long) LONGS.get(digest, 0);
        word1 = (long) LONGS.get(digest, 8);
        word2 = (long) LONGS.get(digest, 16);
        word3 = (long) LONGS.get(digest, 24);
    }

    /** The fingerprint with these 32 bytes, for instance a peer's. */
    public static ContentFingerprint ofBytes(byte[] digest) {
        if (digest.length != BYTES) {
            throw new IllegalArgumentException("fingerprint of " + digest.length + " bytes; it has " + BYTES);
        }
        return new ContentFingerprint(digest);
    }

    /** The 32 bytes in a new array. */
    public byte[] bytes() {
        byte[] digest = new byte[BYTES];
        LONGS.set(digest, 0, word0);
        LONGS.set(digest, 8, word1);
        LONGS.set(digest, 16, word2);
        LONGS.set(digest, 24, word3);
        return digest;
    }

    /** The four 64-bit words, the first eight bytes first, each big endian, in a new array. */
    public long[] words() {
        return new long[]{word0, word1, word2, word3};
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ContentFingerprint that && word0 == that.word0 && word1 == that.word1
                && word2 == that.word2 && word3 == that.word3;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(word0);
    }

    /** The bytes as 64 lower-case hexadecimal digits. */
    @Override
    public String toString() {
        return HexFormat.of().formatHex(bytes());
    }
}
