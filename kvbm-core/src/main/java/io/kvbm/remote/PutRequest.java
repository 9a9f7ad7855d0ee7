package io.kvbm.remote;

import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;

/**
 * What is put into blocks that another worker has leased to this one. The sources are lent until the request is over, so
 * that what is read of them while they may change is refused by the reader.
 *
 * @param local where the bytes come from
 * @param remote where they go to, all of one block set and mutable
 * @param lease the number of the lease under which they are filled, or 0 where only their descriptors are known: then any
 *        lease of theirs will do, also one that was given since for something else
 * @param notification what the other worker's application is told afterwards; empty for nothing
 */
public record PutRequest(List<? extends BlockHandle> local, List<RemoteBlock> remote, long lease, String notification)
        implements
            RemoteRequest {

    /**
     * A request for these blocks.
     *
     * @throws io.kvbm.error.TransferException {@code COUNT_MISMATCH}, {@code NO_BLOCKS}, {@code INVALID_REQUEST}
     * @throws RemoteException {@code NOT_MUTABLE}
     */
    public PutRequest {
        RemoteRequest.requirePairs(local, remote, local.size(), remote.size());
        RemoteRequest.requireShort(notification);
        for (RemoteBlock block : remote) {
            if (!block.isMutable()) {
                throw new RemoteException(RemoteException.Kind.NOT_MUTABLE, "Block " + block.id()
                        + " is a destination, but may only be read; ask for it as mutable");
            }
        }
        local = List.copyOf(local);
        remote = List.copyOf(remote);
    }

    /** A request for these blocks under any lease of theirs. */
    public PutRequest(List<? extends BlockHandle> local, List<RemoteBlock> remote, String notification) {
        this(local, remote, 0, notification);
    }

    /** Starts a request. */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public void validateBlocks() {
        RemoteRequest.requireApart(local.stream().map(BlockHandle::id).toList(),
                remote.stream().map(RemoteBlock::id).toList());
    }

    /** Names sources and destinations one after the other. */
    public static final class Builder {

        private @Nullable List<? extends BlockHandle> sources;
        private @Nullable List<RemoteBlock> destinations;
        private long lease;
        private String notification = "";

        private Builder() {}

        /** Where the bytes come from. */
        public Builder from(List<? extends BlockHandle> blocks) {
            this.sources = blocks;
            return this;
        }

        /** Where the bytes go to. */
        public Builder to(List<RemoteBlock> blocks) {
            this.destinations = blocks;
            return this;
        }

        /** Under which lease; any of these blocks unless set. */
        public Builder lease(long number) {
            this.lease = number;
            return this;
        }

        /** What the other worker's application is told when the last byte has arrived. */
        public Builder notification(String text) {
            this.notification = text;
            return this;
        }

        /** The request. */
        public PutRequest build() {
            return new PutRequest(sources == null ? List.of() : sources,
                    destinations == null ? List.of() : destinations, lease, notification);
        }
    }
}
