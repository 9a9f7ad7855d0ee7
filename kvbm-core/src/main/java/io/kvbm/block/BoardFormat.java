package io.kvbm.block;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

import io.kvbm.layout.BlockLayout;

/**
 * Where things stand on a {@link SlotBoard}, in the byte order of the host; nobody else reads it.
 *
 * <pre>
 * header, a multiple of 4096 bytes
 *    0 magic                     32 nonce, upper half          64 inode of the first file of the memory
 *    8 version                   40 nonce, lower half          72 its size
 *   16 worker                    48 number of slots            80 inode of the second file
 *   24 epoch                     56 number of files            ...
 *
 * entry of a slot, 64 bytes: one cache line
 *    0 word: generation &lt;&lt; 1 | registered
 *    8 identity, 4 words; those that the kind of identity does not have are 0
 *   40 checksum: lower half of the generation &lt;&lt; 32 | CRC32C; 0 where there is none
 *   48 loan: the number under which the content is lent to another worker; 0 where it is not
 *   56 unused
 * </pre>
 */
final class BoardFormat {

    static final long MAGIC = 0x4b56_424d_424f_5244L;
    static final long VERSION = 1;

    static final long MAGIC_AT = 0;
    static final long VERSION_AT = 8;
    static final long WORKER_AT = 16;
    static final long EPOCH_AT = 24;
    static final long NONCE_HIGH_AT = 32;
    static final long NONCE_LOW_AT = 40;
    static final long SLOTS_AT = 48;
    static final long FILES_AT = 56;
    static final long FIRST_FILE_AT = 64;
    static final long FILE_BYTES = 16;

    static final long WORD = 0;
    static final long IDENTITY = 8;
    static final int IDENTITY_WORDS = 4;
    static final long CHECKSUM = 40;
    static final long LOAN = 48;
    static final long ENTRY_BYTES = 64;

    /** Reads and writes 64 bits at a byte offset, in all ways of ordering. */
    static final VarHandle LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.nativeOrder()).varHandle();

    private static final long HEADER_UNIT = 4096;

    private BoardFormat() {}

    static long headerBytes(int files) {
        return BlockLayout.roundUp(FIRST_FILE_AT + files * FILE_BYTES, HEADER_UNIT);
    }

    static long bytes(int slots, int files) {
        return headerBytes(files) + slots * ENTRY_BYTES;
    }

    static long registered(long generation) {
        return generation << 1 | 1;
    }

    static long vacant(long generation) {
        return generation << 1;
    }

    static boolean isRegistered(long word) {
        return (word & 1) == 1;
    }

    static long generation(long word) {
        return word >>> 1;
    }

    /** 0, as told for none, only by a chance of one in 2^32 in every 2^32nd generation; then there is none. */
    static long checksum(long generation, int crc) {
        return generation << 32 | Integer.toUnsignedLong(crc);
    }

    /** Whether this is the checksum of content of this generation. */
    static boolean isChecksum(long word, long generation) {
        return word != 0 && word >>> 32 == (generation & 0xffff_ffffL);
    }

    static long header(MemorySegment board, long at) {
        return (long) LONG.get(board, at);
    }
}
