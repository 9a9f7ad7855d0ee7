package io.kvbm.remote;

import java.nio.ByteBuffer;

/** Writes what {@link WireReader} reads, big endian, into memory that grows as it is filled. */
final class WireWriter {

    private ByteBuffer bytes = ByteBuffer.allocate(512);

    int length() {
        return bytes.position();
    }

    void u8(int value) {
        room(Byte.BYTES).put((byte) value);
    }

    void u16(int value) {
        room(Short.BYTES).putShort((short) value);
    }

    void count(int value) {
        room(Integer.BYTES).putInt(value);
    }

    void u64(long value) {
        room(Long.BYTES).putLong(value);
    }

    /** Numbers of 32 bits, without their number. */
    void u32s(int[] values) {
        room(values.length * Integer.BYTES).asIntBuffer().put(values);
        bytes.position(bytes.position() + values.length * Integer.BYTES);
    }

    /** Numbers of 64 bits, without their number. */
    void u64s(long[] values) {
        room(values.length * Long.BYTES).asLongBuffer().put(values);
        bytes.position(bytes.position() + values.length * Long.BYTES);
    }

    void bytes(byte[] value) {
        room(value.length).put(value);
    }

    /** Leaves room for a count that is known later. */
    int laterCount() {
        int place = length();
        count(0);
        return place;
    }

    void setCount(int place, int value) {
        bytes.putInt(place, value);
    }

    byte[] toBytes() {
        byte[] copy = new byte[length()];
        bytes.get(0, copy);
        return copy;
    }

    private ByteBuffer room(int length) {
        if (bytes.remaining() < length) {
            ByteBuffer larger = ByteBuffer.allocate(Math.max(bytes.capacity() * 2, bytes.position() + length));
            bytes = larger.put(bytes.flip());
        }
        return bytes;
    }
}
