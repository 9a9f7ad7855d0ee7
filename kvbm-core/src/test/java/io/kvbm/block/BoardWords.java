package io.kvbm.block;

/** The words of a side table as its owner can write them: what a fault of the memory could make of them. */
public final class BoardWords {

    /** The number of words of the entry of one slot. */
    public static final int PER_SLOT = (int) (BoardFormat.ENTRY_BYTES / Long.BYTES);

    private BoardWords() {}

    /** One word of the entry of a slot. */
    public static long get(SlotBoard board, int slot, int word) {
        return (long) BoardFormat.LONG.getVolatile(board.board, at(board, slot, word));
    }

    /** Writes one word of the entry of a slot. */
    public static void set(SlotBoard board, int slot, int word, long value) {
        BoardFormat.LONG.setVolatile(board.board, at(board, slot, word), value);
    }

    private static long at(SlotBoard board, int slot, int word) {
        return BoardFormat.headerBytes(board.memoryDescriptors().size()) + slot * BoardFormat.ENTRY_BYTES
                + word * (long) Long.BYTES;
    }
}
