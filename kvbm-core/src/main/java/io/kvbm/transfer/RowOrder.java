package io.kvbm.transfer;

import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.HeadOrder;

/**
 * How the rows of a region change places on their way: row {@code (o, i)} of outer × inner rows at the source is row
 * {@code (i, o)} of inner × outer rows at the destination. A row is what one head has of one token.
 *
 * @param outer what the source counts first, such as tokens; 1 where the rows stay as they are
 * @param inner what the source counts second, such as heads
 * @param rowBytes bytes of a row
 */
public record RowOrder(int outer, int inner, long rowBytes) {

    /** What becomes of a region between two layouts of the same shape. */
    public static RowOrder between(BlockLayout source, BlockLayout destination) {
        int heads = Math.max(source.heads(), destination.heads());
        if (heads == 1 || source.headOrder() == destination.headOrder()) {
            return new RowOrder(1, 1, source.regionSize());
        }
        long rowBytes = source.regionSize() / source.pageSize() / heads;
        return source.headOrder() == HeadOrder.NHD ? new RowOrder(source.pageSize(), heads, rowBytes)
                : new RowOrder(heads, source.pageSize(), rowBytes);
    }

    /** Whether the rows stay as they are. */
    public boolean isKept() {
        return outer == 1 || inner == 1;
    }
}
