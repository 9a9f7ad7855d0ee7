package io.kvbm.transfer;

import java.util.List;
import java.util.function.Consumer;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;

import static io.kvbm.transfer.BlockFixture.list;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class TransferRequestTest {

    private final BlockPool pool = BlockFixture.pool(0);
    private final BlockPool other = BlockFixture.pool(1);
    private final BlockList<MutableBlock> own = pool.allocateBlocks(4);
    private final BlockList<MutableBlock> others = other.allocateBlocks(4);

    @AfterEach
    void close() {
        own.close();
        others.close();
        assertThat(pool.stats().holders()).isZero();
        assertThat(other.stats().holders()).isZero();
        pool.close();
        other.close();
    }

    private static void assertKind(TransferException.Kind kind, String part, ThrowingCallable call) {
        Consumer<TransferException> hasKind = e -> assertThat(e.kind()).isEqualTo(kind);
        assertThatThrownBy(call).hasMessageContaining(part)
                .asInstanceOf(type(TransferException.class))
                .satisfies(hasKind);
    }

    @Test
    @DisplayName("14.2: three sources cannot be put into four destinations")
    void counts() {
        assertKind(TransferException.Kind.COUNT_MISMATCH, "3 sources cannot be put into 4 destinations",
                () -> TransferRequest.put(own.subList(0, 3), others));
        assertKind(TransferException.Kind.COUNT_MISMATCH, "0 sources",
                () -> TransferRequest.put(List.<MutableBlock>of(), others));
        assertKind(TransferException.Kind.COUNT_MISMATCH, "4 sources",
                () -> TransferRequest.put().from(own).build());
    }

    @Test
    @DisplayName("14.2: a request without blocks is refused")
    void noBlocks() {
        assertKind(TransferException.Kind.NO_BLOCKS, "no block",
                () -> TransferRequest.put(List.<MutableBlock>of(), List.of()));
        assertKind(TransferException.Kind.NO_BLOCKS, "no block", () -> TransferRequest.put().build());
    }

    @Test
    @DisplayName("14.2 step 1: blocks that are source and destination make a request that is not valid")
    void sourceIsDestination() {
        TransferRequest request = TransferRequest.put(own, own);
        assertKind(TransferException.Kind.INVALID_REQUEST, "both a source and a destination", request::validateBlocks);
        TransferRequest shifted = TransferRequest.put(list(own, 0, 1), list(own, 1, 2));
        assertKind(TransferException.Kind.INVALID_REQUEST, "0/1/1", shifted::validateBlocks);
    }

    @Test
    @DisplayName("14.2: a destination that is named twice is refused, before overlap is looked at")
    void duplicateDestination() {
        TransferRequest request = TransferRequest.put(list(others, 0, 1), list(own, 0, 0));
        assertKind(TransferException.Kind.INVALID_REQUEST, "0/1/0 is named twice", request::validateBlocks);
        TransferRequest both = TransferRequest.put(list(own, 0, 1), list(own, 0, 0));
        assertKind(TransferException.Kind.INVALID_REQUEST, "named twice", both::validateBlocks);
    }

    @Test
    void aSourceMayBeNamedTwice() {
        TransferRequest.put(list(others, 3, 3), list(own, 0, 1)).validateBlocks();
    }

    @Test
    void blocksOfTheSameIndexInTwoPoolsAreDifferent() {
        TransferRequest request = TransferRequest.put().from(others).to(own).build();
        request.validateBlocks();
        request.validateShapes();
        request.validateAddresses();
        assertThat(request.sources()).hasSize(4);
        assertThat(request.destinations()).hasSize(4);
        assertThat(request.firstLayer()).isZero();
        assertThat(request.endLayer()).isEqualTo(3);
    }

    private static LayoutConfig changed(String field) {
        LayoutConfig.Builder config = BlockFixture.small();
        return switch (field) {
            case "layers" -> config.numLayers(4).build();
            case "outer parts" -> config.outerDim(3).build();
            case "tokens per page" -> config.pageSize(2).innerDim(12).build();
            case "bytes per region" -> config.innerDim(7).build();
            case "element type" -> config.dtype(DType.BF16).build();
            default -> throw new IllegalArgumentException(field);
        };
    }

    @ParameterizedTest
    @DisplayName("D4: each field of the two shapes is compared")
    @CsvSource({"layers, 4, 3", "outer parts, 3, 2", "tokens per page, 2, 4", "bytes per region, 56, 48",
        "element type, BF16, FP16"})
    void shapes(String field, String source, String destination) {
        BlockPool odd = BlockFixture.pool(changed(field), LayoutType.LAYER_SEPARATE, 2);
        try (BlockList<MutableBlock> blocks = odd.allocateBlocks(1)) {
            TransferRequest request = TransferRequest.put(List.of(others.getFirst(), blocks.getFirst()),
                    list(own, 0, 1));
            request.validateBlocks();
            assertKind(TransferException.Kind.SHAPE_MISMATCH,
                    "Pair 1 of the request has " + source + " " + field + " at the source and " + destination,
                    request::validateShapes);
        }
        assertThat(odd.stats().holders()).isZero();
        odd.close();
    }

    @Test
    void strideAndNumberOfBlocksAreNoShape() {
        BlockPool odd = BlockFixture.pool(BlockFixture.small().numBlocks(3).alignment(512).build(),
                LayoutType.LAYER_SEPARATE_OUTER_FIRST, 2);
        try (BlockList<MutableBlock> blocks = odd.allocateBlocks(1)) {
            TransferRequest.put(blocks, list(own, 0)).validateShapes();
        }
        odd.close();
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "-1, 2", "2, 1", "0, 4", "3, 3", "3, 4", "0, -1", "2147483647, 2147483647"})
    void layerRangesOutOfBoundsAreRefused(int first, int end) {
        TransferRequest request = TransferRequest.put()
                .from(list(others, 0))
                .to(list(own, 0))
                .layers(first, end)
                .build();
        assertKind(TransferException.Kind.INVALID_REQUEST, "that have 3", request::validateShapes);
    }

    @ParameterizedTest
    @CsvSource({"0, 3", "0, 1", "2, 3", "1, 2"})
    void layerRangesInsideAreFine(int first, int end) {
        TransferRequest request = TransferRequest.put()
                .from(list(others, 0))
                .to(list(own, 0))
                .layers(first, end)
                .build();
        request.validateShapes();
        assertThat(request.firstLayer()).isEqualTo(first);
        assertThat(request.endLayer()).isEqualTo(end);
    }

    @Test
    void theAddressCheckFindsMemoryUnderTwoNames() {
        HostStorage storage = HostAllocator.create().allocate(8 * 288);
        BlockPool one = BlockFixture.pool(BlockFixture.over(BlockFixture.small().build(), storage), 5);
        BlockPool two = BlockFixture.pool(BlockFixture.over(BlockFixture.small().build(), storage), 6);
        try (BlockList<MutableBlock> a = one.allocateBlocks(3); BlockList<MutableBlock> b = two.allocateBlocks(3)) {
            TransferRequest same = TransferRequest.put(list(a, 1), list(b, 1));
            same.validateBlocks();
            assertKind(TransferException.Kind.INVALID_REQUEST, "overlaps", same::validateAddresses);
            TransferRequest destinations = TransferRequest.put(list(others, 0, 1), List.of(a.get(2), b.get(2)));
            assertKind(TransferException.Kind.INVALID_REQUEST, "overlaps", destinations::validateAddresses);
            TransferRequest.put(List.of(a.get(0), b.get(0)), list(own, 0, 1)).validateAddresses();
            TransferRequest.put(list(a, 0, 0), list(b, 1, 2)).validateAddresses();
        }
        one.close();
        two.close();
    }

    @Test
    @DisplayName("a source that encloses another one is not lost from view by the address check")
    void theWidestSourceCounts() {
        HostStorage storage = HostAllocator.create().allocate(4096);
        LayoutConfig.Builder flat = LayoutConfig.builder().numLayers(1).pageSize(1).dtype(DType.U8);
        BlockPool wide = BlockFixture.pool(BlockFixture.over(flat.numBlocks(1).innerDim(1024).build(), storage), 5);
        BlockPool narrow = BlockFixture.pool(BlockFixture.over(flat.numBlocks(8).innerDim(128).build(), storage), 6);
        BlockPool target = BlockFixture.pool(flat.numBlocks(1).innerDim(1024).build(), LayoutType.FULLY_CONTIGUOUS, 7);
        try (BlockList<MutableBlock> w = wide.allocateBlocks(1);
                BlockList<MutableBlock> n = narrow.allocateBlocks(8);
                BlockList<MutableBlock> t = target.allocateBlocks(1)) {
            TransferRequest request = TransferRequest.put(List.of(w.getFirst(), n.get(1)),
                    List.of(t.getFirst(), n.get(4)));
            request.validateBlocks();
            request.validateShapes();
            assertKind(TransferException.Kind.INVALID_REQUEST, "overlaps", request::validateAddresses);
        }
        wide.close();
        narrow.close();
        target.close();
    }

    @Test
    void aClosedHandleHasNoAddresses() {
        ImmutableBlock source = BlockFixture.registered(other, 3);
        TransferRequest request = TransferRequest.put(List.of(source), list(own, 0));
        source.close();
        request.validateBlocks();
        assertThatThrownBy(request::validateAddresses).isInstanceOf(ClosedException.class);
    }
}
