package io.kvbm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;

import org.junit.jupiter.api.Test;

import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThat;

/** The figures in {@code docs/sizing.md} are those that the layouts compute. */
class SizingTest {

    private static final int MODEL_CELLS = 9;
    private static final int NEED_CELLS = 7;
    private static final double GIB = 1L << 30;

    /** The rows of figures in the tables of so many columns. */
    private static List<List<String>> rows(int cells) throws IOException {
        return Files.readAllLines(Path.of("..", "docs", "sizing.md"))
                .stream()
                .filter(line -> line.startsWith("| "))
                .map(line -> Arrays.stream(line.substring(1).split("\\|")).map(String::strip).toList())
                .filter(row -> row.size() == cells && Character.isDigit(row.getLast().charAt(0)))
                .toList();
    }

    private static Map<String, BlockLayout> models() throws IOException {
        return rows(MODEL_CELLS).stream().collect(Collectors.toMap(List::getFirst, SizingTest::layout));
    }

    private static BlockLayout layout(List<String> row) {
        Function<Integer, Integer> number = cell -> Integer.valueOf(row.get(cell));
        KvManagerModelConfig model = KvManagerModelConfig.of(ModelIdentity.builder()
                .modelId(row.getFirst())
                .revision("r1")
                .layers(number.apply(1))
                .outer(number.apply(2))
                .heads(number.apply(3))
                .headDim(number.apply(4))
                .dtype(row.get(5))
                .pageSize(number.apply(6))
                .build());
        return BlockLayout.of(LayoutConfig.builder()
                .numBlocks(1)
                .numLayers(model.numLayers())
                .outerDim(model.outerDim())
                .pageSize(model.pageSize())
                .innerDim(model.innerDim())
                .dtype(model.dtype())
                .heads(model.heads())
                .build(), LayoutType.FULLY_CONTIGUOUS);
    }

    @Test
    void blocksTakeAsManyBytesAsIsSaid() throws IOException {
        assertThat(rows(MODEL_CELLS)).hasSize(3).allSatisfy(row -> {
            BlockLayout layout = layout(row);
            assertThat(layout.bytesPerBlock()).isEqualTo(Long.parseLong(row.get(8)));
            assertThat(layout.bytesPerBlock() / layout.pageSize()).isEqualTo(Long.parseLong(row.get(7)));
        });
    }

    @Test
    void needsAreTheSumsThatAreSaid() throws IOException {
        Map<String, BlockLayout> models = models();
        assertThat(rows(NEED_CELLS)).hasSize(3).allSatisfy(row -> {
            BlockLayout layout = Objects.requireNonNull(models.get(row.getFirst()));
            long blocks = blocks(row.get(1), row.get(2), layout) + blocks(row.get(3), row.get(4), layout);
            assertThat(blocks).isEqualTo(Long.parseLong(row.get(5)));
            assertThat(String.format(Locale.ROOT, "%.1f", blocks * layout.bytesPerBlock() / GIB)).isEqualTo(row.get(6));
        });
    }

    private static long blocks(String count, String tokens, BlockLayout layout) {
        return Long.parseLong(count) * Math.ceilDiv(Integer.parseInt(tokens), layout.pageSize());
    }
}
