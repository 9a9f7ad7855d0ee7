package io.kvbm.remote;

import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;

/**
 * What is fetched from another worker into mutable blocks of this one. What arrives is what the sources' generations
 * say, or, where they have none, whatever is there; only the caller can know what that is.
 *
 * @param remote where the bytes come from, all of one block set
 * @param local where they go to
 * @param notification what the other worker's application is told afterwards; empty for nothing
 */
public record GetRequest(List<RemoteBlock> remote, List<MutableBlock> local, String notification)
        implements
            RemoteRequest {

    /**
     * A request for these blocks.
     *
     * @throws io.kvbm.error.TransferException {@code COUNT_MISMATCH}, {@code NO_BLOCKS}, {@code INVALID_REQUEST}
     */
    public GetRequest {
        RemoteRequest.requirePairs(local, remote, remote.size(), local.size());
        RemoteRequest.requireShort(notification);
        remote = List.copyOf(remote);
        local = List.copyOf(local);
    }

    /** Starts a request. */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public void validateBlocks() {
        RemoteRequest.requireApart(remote.stream().map(RemoteBlock::id).toList(),
                local.stream().map(MutableBlock::id).toList());
    }

    /** Names sources and destinations one after the other. */
    public static final class Builder {

        private @Nullable List<RemoteBlock> sources;
        private @Nullable List<MutableBlock> destinations;
        private String notification = "";

        private Builder() {}

        /** Where the bytes come from. */
        public Builder from(List<RemoteBlock> blocks) {
            this.sources = blocks;
            return this;
        }

        /** Where the bytes go to. */
        public Builder to(List<MutableBlock> blocks) {
            this.destinations = blocks;
            return this;
        }

        /** What the other worker's application is told when the last byte has arrived. */
        public Builder notification(String text) {
            this.notification = text;
            return this;
        }

        /** The request. */
        public GetRequest build() {
            return new GetRequest(sources == null ? List.of() : sources,
                    destinations == null ? List.of() : destinations, notification);
        }
    }
}
