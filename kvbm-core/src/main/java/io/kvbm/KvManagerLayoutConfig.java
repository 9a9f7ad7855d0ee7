package io.kvbm;

import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.Storage;
import io.kvbm.storage.StorageAllocator;

/**
 * How much memory of one level there is, how it is laid out and where it comes from: an allocator, or storage that the
 * application made and hands over.
 *
 * @param numBlocks blocks, at least 1
 * @param layoutType how they are laid out
 * @param alignment bytes to which the start of every block is aligned, a power of two
 * @param headOrder order of tokens and heads in a region; null for the model's own
 * @param storage the memory itself, which goes over to the manager unless making it fails; null where it is allocated
 * @param allocator where the memory comes from; null where it is given
 */
public record KvManagerLayoutConfig(int numBlocks, LayoutType layoutType, int alignment,
        @Nullable HeadOrder headOrder, @Nullable List<Storage> storage,
        @Nullable StorageAllocator<? extends Storage> allocator) {

    /** Refuses values out of range and anything but one source of memory, with a {@link ConfigException}. */
    public KvManagerLayoutConfig {
        if (numBlocks < 1) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "numBlocks is " + numBlocks + ", below its minimum of 1; a level without blocks is left out");
        }
        if (alignment < 1 || Integer.bitCount(alignment) != 1) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "alignment is " + alignment + "; give a power of two, or 1 for none");
        }
        if ((storage == null) == (allocator == null)) {
            throw new ConfigException(ConfigException.Kind.INVALID, (storage == null ? "Neither" : "Both")
                    + " storage and allocator are set; set exactly one of them");
        }
        storage = storage == null ? null : List.copyOf(storage);
    }

    /** Starts a configuration. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the values. */
    public static final class Builder {

        private int numBlocks;
        private LayoutType layoutType = LayoutType.FULLY_CONTIGUOUS;
        private int alignment = 1;
        private @Nullable HeadOrder headOrder;
        private @Nullable List<Storage> storage;
        private @Nullable StorageAllocator<? extends Storage> allocator;

        private Builder() {}

        /** The number of blocks; required. */
        public Builder numBlocks(int value) {
            this.numBlocks = value;
            return this;
        }

        /** How the blocks are laid out; fully contiguous unless set. */
        public Builder layoutType(LayoutType value) {
            this.layoutType = value;
            return this;
        }

        /** Bytes to which the start of every block is aligned; 1 unless set. */
        public Builder alignment(int value) {
            this.alignment = value;
            return this;
        }

        /** Order of tokens and heads in a region, as the engine's kernels have it; the model's own unless set. */
        public Builder headOrder(HeadOrder value) {
            this.headOrder = value;
            return this;
        }

        /** Memory that the manager takes over; null is as good as not set. */
        public Builder storage(@Nullable List<Storage> value) {
            this.storage = value;
            return this;
        }

        /** Where the memory comes from. */
        public Builder allocator(StorageAllocator<? extends Storage> value) {
            this.allocator = value;
            return this;
        }

        /** The configuration. */
        public KvManagerLayoutConfig build() {
            return new KvManagerLayoutConfig(numBlocks, layoutType, alignment, headOrder, storage, allocator);
        }
    }
}
