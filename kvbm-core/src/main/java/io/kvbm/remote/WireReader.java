package io.kvbm.remote;

import java.nio.ByteBuffer;

import io.kvbm.error.RemoteException;

/**
 * Reads what another worker wrote, big endian, and never behind its end. Nothing is allocated but what lies in the bytes
 * themselves.
 */
final class WireReader {

    private final ByteBuffer bytes;
    private final String what;

    /** Reads a stretch of these bytes; {@code what} names it in errors. */
    WireReader(byte[] bytes, int offset, int length, String what) {
        this(ByteBuffer.wrap(bytes, offset, length), what);
    }

    private WireReader(ByteBuffer bytes, String what) {
        this.bytes = bytes;
        this.what = what;
    }

    int remaining() {
        return bytes.remaining();
    }

    int u8() {
        return Byte.toUnsignedInt(need(Byte.BYTES).get());
    }

    int u16() {
        return Short.toUnsignedInt(need(Short.BYTES).getShort());
    }

    /** An unsigned 32-bit number that an {@code int} holds. */
    int count() {
        return requireCount(need(Integer.BYTES).getInt());
    }

    private int requireCount(int value) {
        if (value < 0) {
            throw Refusal.malformed(what + " has the number " + Integer.toUnsignedString(value) + ", over the limit of "
                    + Integer.MAX_VALUE);
        }
        return value;
    }

    long u64() {
        return need(Long.BYTES).getLong();
    }

    /** So many unsigned 32-bit numbers, each of which an {@code int} holds. */
    int[] counts(int number) {
        int[] values = u32s(number);
        for (int value : values) {
            requireCount(value);
        }
        return values;
    }

    /** So many unsigned 32-bit numbers. */
    int[] u32s(int number) {
        need((long) number * Integer.BYTES);
        int[] values = new int[number];
        bytes.asIntBuffer().get(values);
        bytes.position(bytes.position() + number * Integer.BYTES);
        return values;
    }

    /** So many unsigned 64-bit numbers. */
    long[] u64s(int number) {
        need((long) number * Long.BYTES);
        long[] values = new long[number];
        bytes.asLongBuffer().get(values);
        bytes.position(bytes.position() + number * Long.BYTES);
        return values;
    }

    byte[] bytes(int length) {
        need(length);
        byte[] copy = new byte[length];
        bytes.get(copy);
        return copy;
    }

    byte[] rest() {
        return bytes(remaining());
    }

    /** Reads the next bytes on their own. */
    WireReader part(int length, String name) {
        need(length);
        ByteBuffer part = bytes.slice(bytes.position(), length);
        bytes.position(bytes.position() + length);
        return new WireReader(part, name);
    }

    /**
     * Refuses what follows.
     *
     * @throws RemoteException {@code MALFORMED}
     */
    void end() {
        if (bytes.hasRemaining()) {
            throw Refusal.malformed(what + " has " + bytes.remaining() + " bytes too many");
        }
    }

    private ByteBuffer need(long length) {
        if (length > bytes.remaining()) {
            throw Refusal.malformed(
                    what + " ends after " + bytes.remaining() + " bytes, where " + length + " are expected");
        }
        return bytes;
    }
}
