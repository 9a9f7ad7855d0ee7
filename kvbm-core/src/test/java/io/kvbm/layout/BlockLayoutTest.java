package io.kvbm.layout;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.error.ConfigException;
import io.kvbm.error.LayoutException;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class BlockLayoutTest {

    /** The reference's test layout: 7 blocks, 5 layers, pages of 4, inner dimension 13, FP32. */
    static LayoutConfig.Builder l7() {
        return LayoutConfig.builder().numBlocks(7).numLayers(5).pageSize(4).innerDim(13).dtype(DType.FP32);
    }

    private static BlockLayout contiguous(LayoutConfig.Builder config) {
        return BlockLayout.of(config.build(), LayoutType.FULLY_CONTIGUOUS);
    }

    private static Consumer<LayoutException> kind(LayoutException.Kind kind) {
        return e -> assertThat(e.kind()).isEqualTo(kind);
    }

    private static void assertLayoutError(LayoutException.Kind kind, String part, ThrowingCallable call) {
        assertThatThrownBy(call).hasMessageContaining(part)
                .asInstanceOf(type(LayoutException.class))
                .satisfies(kind(kind));
    }

    @ParameterizedTest
    @CsvSource({"3", "0", "-4", "6", "-2147483648"})
    @DisplayName("T17: an alignment that is no power of two can be written down but not laid out")
    void invalidAlignment(int alignment) {
        LayoutConfig config = l7().alignment(alignment).build();
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "alignment is " + alignment, config::validate);
        for (LayoutType type : LayoutType.values()) {
            assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "alignment", () -> BlockLayout.of(config, type));
        }
    }

    @Test
    @DisplayName("T18, T20, T21: the test layout and its accessors")
    void theTestLayout() {
        BlockLayout layout = contiguous(l7());
        assertThat(layout.type()).isEqualTo(LayoutType.FULLY_CONTIGUOUS);
        assertThat(layout.numBlocks()).isEqualTo(7);
        assertThat(layout.numLayers()).isEqualTo(5);
        assertThat(layout.outerDim()).isOne();
        assertThat(layout.pageSize()).isEqualTo(4);
        assertThat(layout.innerDim()).isEqualTo(13);
        assertThat(layout.dtype()).isEqualTo(DType.FP32);
        assertThat(layout.regionSize()).isEqualTo(208);
        assertThat(layout.storageCount()).isOne();
        assertThat(layout.config()).isEqualTo(l7().build());
    }

    @Test
    @DisplayName("T22: offsets of the test layout")
    void offsets() {
        BlockLayout layout = contiguous(l7());
        assertThat(layout.offset(0, 0, 0)).isZero();
        assertThat(layout.offset(0, 4, 0)).isEqualTo(832);
        assertThat(layout.offset(3, 2, 0)).isEqualTo(3536);
        assertThat(layout.offset(6, 0, 0)).isEqualTo(6240);
        assertThat(layout.offset(6, 4, 0)).isEqualTo(7072);
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("T23, T24: indices out of range are told in the order block, layer, outer part")
    void indexErrors(LayoutType type) {
        BlockLayout layout = BlockLayout.of(l7().outerDim(2).build(), type);
        for (int bad : new int[]{-1, 7, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            assertLayoutError(LayoutException.Kind.INVALID_BLOCK_INDEX, "Block " + bad,
                    () -> layout.offset(bad, 5, 2));
        }
        for (int bad : new int[]{-1, 5, Integer.MAX_VALUE}) {
            assertLayoutError(LayoutException.Kind.INVALID_LAYER_INDEX, "Layer " + bad, () -> layout.offset(0, bad, 2));
        }
        for (int bad : new int[]{-1, 2, Integer.MAX_VALUE}) {
            assertLayoutError(LayoutException.Kind.INVALID_OUTER_INDEX, "Outer part " + bad,
                    () -> layout.offset(6, 4, bad));
        }
        assertThat(layout.offset(6, 4, 1)).isNotNegative();
    }

    @ParameterizedTest
    @DisplayName("table 9.4: region, stride, data bytes and allocation of the reference's layouts")
    @CsvSource({"7, 5, 4, 13, FP32, 1, 208, 1040, 1040, 7280, 7280",
        "7, 5, 4, 13, FP32, 256, 208, 1040, 1280, 8720, 8975",
        "16, 3, 4, 16, FP16, 1, 128, 384, 384, 6144, 6144",
        "8, 3, 4, 16, FP16, 1, 128, 384, 384, 3072, 3072",
        "10, 2, 4, 13, FP16, 1, 104, 208, 208, 2080, 2080",
        "9, 61, 16, 576, FP16, 1, 18432, 1124352, 1124352, 10119168, 10119168"})
    void workedExamples(int blocks, int layers, int page, int inner, DType dtype, int alignment, long region,
            long natural, long stride, long data, long allocation) {
        var layout = (FullyContiguousLayout) contiguous(LayoutConfig.builder()
                .numBlocks(blocks)
                .numLayers(layers)
                .pageSize(page)
                .innerDim(inner)
                .dtype(dtype)
                .alignment(alignment));
        assertThat(layout.regionSize()).isEqualTo(region);
        assertThat(layout.layerSize()).isEqualTo(region);
        assertThat(layout.bytesPerBlock()).isEqualTo(natural);
        assertThat(layout.blockStride()).isEqualTo(stride);
        assertThat(layout.dataBytes()).isEqualTo(data);
        assertThat(layout.requiredAllocation()).isEqualTo(allocation);
    }

    @Test
    @DisplayName("LAY-8: only the starts of blocks are aligned")
    void layersAreNotAligned() {
        BlockLayout layout = contiguous(l7().alignment(256));
        assertThat(layout.offset(2, 0, 0)).isEqualTo(2 * 1280);
        assertThat(layout.offset(2, 1, 0) % 256).isNotZero();
    }

    @Test
    @DisplayName("LAY-6: the base is the next aligned address, also above 2^63")
    void baseOffset() {
        BlockLayout aligned = contiguous(l7().alignment(256));
        assertThat(aligned.baseOffset(0)).isZero();
        assertThat(aligned.baseOffset(1)).isEqualTo(255);
        assertThat(aligned.baseOffset(256)).isZero();
        assertThat(aligned.baseOffset(257)).isEqualTo(255);
        assertThat(aligned.baseOffset(Long.MAX_VALUE)).isOne();
        assertThat(aligned.baseOffset(Long.MIN_VALUE + 3)).isEqualTo(253);
        assertThat(contiguous(l7()).baseOffset(12345)).isZero();
    }

    @Test
    @DisplayName("9.6: the outer dimension lies between layer and region")
    void outerDimension() {
        BlockLayout layout = contiguous(l7().outerDim(2));
        assertThat(layout.regionSize()).isEqualTo(208);
        assertThat(layout.layerSize()).isEqualTo(416);
        assertThat(layout.bytesPerBlock()).isEqualTo(2080);
        assertThat(layout.offset(3, 2, 1)).isEqualTo(3 * 2080 + 2 * 416 + 208);
    }

    @Test
    void layerSeparateBlockFirst() {
        BlockLayout layout = BlockLayout.of(l7().outerDim(2).alignment(64).build(), LayoutType.LAYER_SEPARATE);
        assertThat(layout.storageCount()).isEqualTo(5);
        assertThat(layout.storageOf(3)).isEqualTo(3);
        assertThat(layout.offset(3, 4, 1)).isEqualTo(3 * 448 + 208);
        assertThat(layout.dataBytes()).isEqualTo(6 * 448 + 416);
        assertThat(layout.bytesPerBlock()).isEqualTo(2080);
        assertThat(layout.blockContiguous()).isFalse();
        assertThat(layout.layerContiguous()).isTrue();
    }

    @Test
    void layerSeparateOuterFirst() {
        BlockLayout layout = BlockLayout.of(l7().outerDim(2).alignment(64).build(),
                LayoutType.LAYER_SEPARATE_OUTER_FIRST);
        assertThat(layout.storageCount()).isEqualTo(5);
        assertThat(layout.offset(3, 4, 1)).isEqualTo(7 * 256 + 3 * 256);
        assertThat(layout.dataBytes()).isEqualTo(7 * 256 + 6 * 256 + 208);
        assertThat(layout.layerContiguous()).isFalse();
        BlockLayout single = BlockLayout.of(l7().numLayers(1).build(), LayoutType.LAYER_SEPARATE_OUTER_FIRST);
        assertThat(single.layerContiguous()).isTrue();
        assertThat(single.blockContiguous()).isTrue();
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("D32: a size over 2^63 bytes is refused by name")
    void overflow(LayoutType type) {
        int max = Integer.MAX_VALUE;
        LayoutConfig.Builder region = LayoutConfig.builder().numBlocks(1).numLayers(1).pageSize(max).innerDim(max);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "over 2^63",
                () -> BlockLayout.of(region.dtype(DType.U64).build(), type));
        LayoutConfig.Builder outer = LayoutConfig.builder()
                .numBlocks(1)
                .numLayers(1)
                .pageSize(max)
                .innerDim(1 << 20)
                .outerDim(1 << 20);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "over 2^63", () -> BlockLayout.of(outer.build(), type));
        LayoutConfig.Builder layers = LayoutConfig.builder().numBlocks(1).numLayers(max).pageSize(max).innerDim(8);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "over 2^63", () -> BlockLayout.of(layers.build(), type));
        LayoutConfig.Builder blocks = LayoutConfig.builder().numBlocks(max).numLayers(1).pageSize(max).innerDim(8);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "over 2^63", () -> BlockLayout.of(blocks.build(), type));
        LayoutConfig.Builder padding = LayoutConfig.builder()
                .numBlocks(max)
                .numLayers(8)
                .pageSize(1)
                .innerDim(1)
                .alignment(1 << 30);
        assertThat(BlockLayout.of(padding.numLayers(1).build(), type).dataBytes()).isPositive();
    }

    @ParameterizedTest
    @EnumSource
    void aSizeThatOverflowsOnlyWithTheAlignmentIsRefused(LayoutType type) {
        // 2^63 - 2^32 bytes of data fit, and with 2^30 - 1 more for the alignment of each of 2^10 storages they do not
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(1)
                .numLayers(1 << 10)
                .pageSize(Integer.MAX_VALUE)
                .innerDim(1 << 22)
                .dtype(DType.U8)
                .alignment(1 << 30)
                .build();
        if (type == LayoutType.FULLY_CONTIGUOUS) {
            assertThat(BlockLayout.of(config, type).requiredAllocation()).isPositive();
        } else {
            assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "over 2^63", () -> BlockLayout.of(config, type));
        }
    }

    @Test
    void aMissingDimensionIsNamed() {
        assertThatThrownBy(() -> LayoutConfig.builder().build()).hasMessageContaining("numBlocks is missing")
                .asInstanceOf(type(ConfigException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(ConfigException.Kind.MISSING));
        assertThatThrownBy(() -> LayoutConfig.builder().numBlocks(1).build()).hasMessageContaining("numLayers");
        assertThatThrownBy(() -> LayoutConfig.builder().numBlocks(1).numLayers(1).build())
                .hasMessageContaining("pageSize");
        assertThatThrownBy(() -> LayoutConfig.builder().numBlocks(1).numLayers(1).pageSize(1).build())
                .hasMessageContaining("innerDim");
    }

    @Test
    @DisplayName("CFG-4: a dimension below 1 is named")
    void dimensionsBelowOne() {
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "numBlocks is 0", l7().numBlocks(0).build()::validate);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "numLayers is -1", l7().numLayers(-1).build()::validate);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "outerDim is 0", l7().outerDim(0).build()::validate);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "pageSize is 0", l7().pageSize(0).build()::validate);
        assertLayoutError(LayoutException.Kind.INVALID_CONFIG, "innerDim is 0", l7().innerDim(0).build()::validate);
    }

    @Test
    @DisplayName("section 2: element sizes")
    void elementSizes() {
        assertThat(Arrays.stream(DType.values()).filter(d -> d.bytes() == 1).map(Enum::name)).containsExactlyInAnyOrder(
                "FP8", "FP8_E4M3", "FP8_E4M3FNUZ", "FP8_E5M2", "FP8_E5M2FNUZ", "U8", "I8");
        assertThat(Arrays.stream(DType.values()).filter(d -> d.bytes() == 2)).containsExactly(DType.FP16, DType.BF16,
                DType.U16, DType.I16);
        assertThat(Arrays.stream(DType.values()).filter(d -> d.bytes() == 4)).containsExactly(DType.FP32, DType.U32,
                DType.I32);
        assertThat(Arrays.stream(DType.values()).filter(d -> d.bytes() == 8)).containsExactly(DType.U64, DType.I64);
    }

    private record Region(int storage, long start, long end) {}

    @Test
    @DisplayName("all regions of a random layout are disjoint, inside the data bytes, and blocks are aligned")
    void randomLayouts() {
        Random random = new Random(RandomCase.seed("BlockLayoutTest.randomLayouts"));
        DType[] dtypes = DType.values();
        for (int run = 0; run < RandomCase.cases(400); run++) {
            LayoutConfig config = LayoutConfig.builder()
                    .numBlocks(1 + random.nextInt(9))
                    .numLayers(1 + random.nextInt(5))
                    .outerDim(1 + random.nextInt(3))
                    .pageSize(1 + random.nextInt(17))
                    .innerDim(1 + random.nextInt(40))
                    .alignment(1 << random.nextInt(11))
                    .dtype(dtypes[random.nextInt(dtypes.length)])
                    .build();
            for (LayoutType type : LayoutType.values()) {
                assertSound(BlockLayout.of(config, type));
            }
        }
    }

    private static void assertSound(BlockLayout layout) {
        List<Region> regions = new ArrayList<>();
        long[] ends = new long[layout.storageCount()];
        for (int block = 0; block < layout.numBlocks(); block++) {
            for (int layer = 0; layer < layout.numLayers(); layer++) {
                for (int outer = 0; outer < layout.outerDim(); outer++) {
                    long start = layout.offset(block, layer, outer);
                    int storage = layout.storageOf(layer);
                    regions.add(new Region(storage, start, start + layout.regionSize()));
                    ends[storage] = Math.max(ends[storage], start + layout.regionSize());
                    boolean startsBlock = outer == 0 && (layer == 0 || layout.storageCount() > 1);
                    if (startsBlock || layout.type() == LayoutType.LAYER_SEPARATE_OUTER_FIRST) {
                        assertThat(start % layout.config().alignment()).as("%s", layout.config()).isZero();
                    }
                }
            }
            if (layout.blockContiguous()) {
                assertRun(layout, regions.subList(regions.size() - layout.numLayers() * layout.outerDim(),
                        regions.size()));
            }
        }
        for (long end : ends) {
            assertThat(end).as("%s", layout.config()).isEqualTo(layout.dataBytes());
        }
        regions.sort((a, b) -> a.storage != b.storage ? Integer.compare(a.storage, b.storage)
                : Long.compare(a.start, b.start));
        for (int i = 1; i < regions.size(); i++) {
            Region before = regions.get(i - 1);
            Region region = regions.get(i);
            assertThat(before.storage != region.storage || before.end <= region.start)
                    .as("%s and %s of %s %s", before, region, layout.type(), layout.config())
                    .isTrue();
        }
        assertThat(layout.requiredAllocation()).isEqualTo(layout.dataBytes() + layout.config().alignment() - 1);
    }

    private static void assertRun(BlockLayout layout, List<Region> block) {
        assertThat(block.getLast().end - block.getFirst().start).isEqualTo(layout.bytesPerBlock());
        for (int i = 1; i < block.size(); i++) {
            assertThat(block.get(i).start).isEqualTo(block.get(i - 1).end);
        }
    }
}
