package io.kvbm.token;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Objects;
import java.util.RandomAccess;

import org.jspecify.annotations.Nullable;

/**
 * An immutable list of token ids. A token id is an unsigned 32-bit number; an {@code int} carries its bit pattern, so
 * {@code -1} is token 4294967295. Equal to every list that holds the same bit patterns in the same order.
 */
public final class Tokens extends AbstractList<Integer> implements RandomAccess {

    private static final Tokens EMPTY = new Tokens(new int[0], 0, 0);

    private final int[] values;
    private final int offset;
    private final int length;

    private Tokens(int[] values, int offset, int length) {
        this.values = values;
        this.offset = offset;
        this.length = length;
    }

    /** These tokens, copied. */
    public static Tokens of(int... tokens) {
        return copyOf(tokens, 0, tokens.length);
    }

    /** The tokens of the array from index {@code from}, inclusive, to {@code to}, exclusive, copied. */
    public static Tokens copyOf(int[] tokens, int from, int to) {
        Objects.checkFromToIndex(from, to, tokens.length);
        return from == to ? EMPTY : new Tokens(Arrays.copyOfRange(tokens, from, to), 0, to - from);
    }

    /** The tokens of the collection in its iteration order, copied; null elements are a {@link NullPointerException}. */
    public static Tokens copyOf(Collection<Integer> tokens) {
        if (tokens instanceof Tokens same) {
            return same;
        }
        int[] values = tokens.stream().mapToInt(Integer::intValue).toArray();
        return values.length == 0 ? EMPTY : new Tokens(values, 0, values.length);
    }

    /** A view of a part of an array that nobody writes any more. */
    static Tokens wrap(int[] values, int offset, int length) {
        return length == 0 ? EMPTY : new Tokens(values, offset, length);
    }

    @Override
    public int size() {
        return length;
    }

    @Override
    public Integer get(int index) {
        return at(index);
    }

    /** The bit pattern of the token at this index. */
    public int at(int index) {
        return values[offset + Objects.checkIndex(index, length)];
    }

    /** The token at this index as a number from 0 to 4294967295. */
    public long unsigned(int index) {
        return Integer.toUnsignedLong(at(index));
    }

    /** The bit patterns in a new array. */
    public int[] toIntArray() {
        return Arrays.copyOfRange(values, offset, offset + length);
    }

    /** The tokens from index {@code from}, inclusive, to {@code to}, exclusive, without copying them. */
    @Override
    public Tokens subList(int from, int to) {
        Objects.checkFromToIndex(from, to, length);
        return wrap(values, offset + from, to - from);
    }

    /** The sequence of blocks of these tokens, see {@link TokenBlockSequence}. */
    public TokenBlockSequence toSequence(int blockSize, long saltHash) {
        return new TokenBlockSequence(this, blockSize, saltHash);
    }

    /** Writes all tokens into the array from index {@code at} on. */
    void copyTo(int[] target, int at) {
        System.arraycopy(values, offset, target, at, length);
    }

    /** The block hash of all tokens. */
    long hashWith(TokenHasher hasher) {
        return hasher.blockHash(values, offset, offset + length);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        if (other instanceof Tokens that) {
            return Arrays.equals(values, offset, offset + length, that.values, that.offset, that.offset + that.length);
        }
        return super.equals(other);
    }

    @Override
    public int hashCode() {
        int hash = 1;
        for (int i = offset; i < offset + length; i++) {
            hash = 31 * hash + values[i];
        }
        return hash;
    }
}
