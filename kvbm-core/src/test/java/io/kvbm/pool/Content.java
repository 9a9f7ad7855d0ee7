package io.kvbm.pool;

import java.util.List;
import java.util.stream.IntStream;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.ModelIdentity;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.TokenBlockSequence;
import io.kvbm.token.Tokens;

/** Tokens, their blocks and the ways to get them into a pool. */
final class Content {

    static final long SALT = 1337;

    private Content() {}

    /** Full blocks of four tokens each, counted from {@code first}. */
    static List<TokenBlock> blocks(int first, int count) {
        return new TokenBlockSequence(Tokens.of(IntStream.range(first, first + 4 * count).toArray()), 4, SALT).blocks();
    }

    static long[] hashes(List<TokenBlock> blocks) {
        return blocks.stream().mapToLong(TokenBlock::sequenceHash).toArray();
    }

    static IdentityChain chain(IdentityKind kind, int first, int count) {
        ModelIdentity model = ModelIdentity.builder()
                .modelId("m")
                .revision("1")
                .dtype("FP32")
                .layers(5)
                .outer(1)
                .heads(1)
                .headDim(13)
                .pageSize(4)
                .identityKind(kind)
                .build();
        IdentityChain chain = new IdentityChain(model.fingerprint(), "", kind, 4);
        chain.extend(IntStream.range(first, first + 4 * count).toArray(), 0, 4 * count);
        return chain;
    }

    /** Allocates, fills and registers these blocks in one call. */
    static BlockList<ImmutableBlock> register(BlockPool pool, List<TokenBlock> blocks) {
        BlockList<MutableBlock> mutable = pool.allocateBlocks(blocks.size());
        for (int i = 0; i < blocks.size(); i++) {
            mutable.get(i).applyTokenBlock(blocks.get(i));
        }
        return pool.registerBlocks(mutable);
    }

    static List<Integer> slots(List<? extends BlockHandle> handles) {
        return handles.stream().map(BlockHandle::index).toList();
    }
}
