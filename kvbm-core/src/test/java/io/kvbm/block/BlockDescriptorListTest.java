package io.kvbm.block;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.DescriptorException;
import io.kvbm.error.DescriptorException.Kind;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.NullStorage;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.TokenBlockSequence;
import io.kvbm.token.Tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class BlockDescriptorListTest {

    private static final String EXAMPLE = "{\"worker_id\":1337,\"block_set_idx\":1,\"mutability\":\"Mutable\","
            + "\"block_indices\":[0,1,2,3]}";
    private static final String FULL_EXAMPLE = "{\"worker_id\":18446744073709551615,\"block_set_idx\":2,"
            + "\"mutability\":\"Immutable\",\"block_indices\":[5,3],\"epoch\":9223372036854775808,"
            + "\"generations\":[0,18446744073709551615]}";

    private final List<BlockPool> pools = new ArrayList<>();

    private BlockPool pool(long worker, int set) {
        BlockLayout layout = BlockLayout.of(
                LayoutConfig.builder().numBlocks(4).numLayers(1).pageSize(4).innerDim(1).build(),
                LayoutType.FULLY_CONTIGUOUS);
        BlockMemory memory = BlockMemory.over(layout, List.of(NullStorage.ofSize(layout.requiredAllocation())));
        BlockPool pool = BlockPool.builder(new BlockSet(memory, set, worker, CacheLevel.G2)).build();
        pools.add(pool);
        return pool;
    }

    @AfterEach
    void nothingStaysHeld() {
        assertThat(pools).allSatisfy(pool -> assertThat(pool.stats().holders()).isZero());
        pools.forEach(BlockPool::close);
    }

    @Test
    @DisplayName("5.5 the text is exactly the reference's")
    void exactText() {
        try (BlockList<MutableBlock> blocks = pool(1337, 1).allocateBlocks(4)) {
            BlockDescriptorList list = BlockDescriptorList.ofMutable(blocks);
            assertThat(list.toJson()).isEqualTo(EXAMPLE);
            assertThat(list).hasToString(EXAMPLE);
            assertThat(BlockDescriptorList.fromJson(EXAMPLE)).isEqualTo(list).hasSameHashCodeAs(list);
            assertThat(list.id(3)).isEqualTo(blocks.get(3).id());
        }
    }

    @Test
    void generationsOfSharedBlocksAreDescribed() {
        BlockPool pool = pool(-1, 2);
        try (BlockList<ImmutableBlock> blocks = registered(pool, 2)) {
            BlockDescriptorList list = BlockDescriptorList.ofImmutable(blocks);
            assertThat(list.mutability()).isEqualTo(MutabilityKind.IMMUTABLE);
            assertThat(list.generation(0)).hasValue(0);
            assertThat(list.toJson()).isEqualTo("{\"worker_id\":18446744073709551615,\"block_set_idx\":2,"
                    + "\"mutability\":\"Immutable\",\"block_indices\":[0,1],\"generations\":[0,0]}");
            assertThat(BlockDescriptorList.fromJson(list.toJson())).isEqualTo(list);
            pool.clear();
            assertThat(BlockDescriptorList.ofImmutable(blocks).generation(1)).hasValue(1);
        }
    }

    private static BlockList<ImmutableBlock> registered(BlockPool pool, int n) {
        BlockList<MutableBlock> blocks = pool.allocateBlocks(n);
        TokenBlockSequence sequence = new TokenBlockSequence(Tokens.of(IntStream.range(0, 4 * n).toArray()), 4, 0);
        for (int i = 0; i < n; i++) {
            blocks.get(i).applyTokenBlock(sequence.block(i));
        }
        return pool.registerBlocks(blocks);
    }

    @Test
    void numbersAboveTheSignedRangeAndOptionalFieldsComeBack() {
        BlockDescriptorList list = BlockDescriptorList.fromJson(FULL_EXAMPLE);
        assertThat(list.workerId()).isEqualTo(-1);
        assertThat(list.blockSet()).isEqualTo(2);
        assertThat(list.size()).isEqualTo(2);
        assertThat(list.index(0)).isEqualTo(5);
        assertThat(list.epoch()).hasValue(Long.MIN_VALUE);
        assertThat(list.generation(1)).hasValue(-1);
        assertThat(list.toJson()).isEqualTo(FULL_EXAMPLE);
        assertThat(BlockDescriptorList.fromJson(EXAMPLE).epoch()).isEmpty();
        assertThat(BlockDescriptorList.fromJson(EXAMPLE).generation(0)).isEmpty();
        assertThat(BlockDescriptorList.fromJson(EXAMPLE).withEpoch(-2).toJson())
                .isEqualTo(EXAMPLE.replace("]}", "],\"epoch\":18446744073709551614}"));
    }

    @Test
    void orderOfFieldsAndBlanksDoNotMatter() {
        assertThat(BlockDescriptorList.fromJson(" { \"block_indices\" : [ 0 , 1,2,3 ] , \"mutability\":\"Mutable\",\t"
                + "\"block_set_idx\":1,\"worker_id\":1337 } \r")).isEqualTo(BlockDescriptorList.fromJson(EXAMPLE));
    }

    @Test
    void listsDifferWhereAnyPartDiffers() {
        BlockDescriptorList list = BlockDescriptorList.fromJson(FULL_EXAMPLE);
        for (String other : List.of(FULL_EXAMPLE.replace("551615,\"block_set", "551614,\"block_set"),
                FULL_EXAMPLE.replace("idx\":2", "idx\":3"), FULL_EXAMPLE.replace("Immutable", "Mutable"),
                FULL_EXAMPLE.replace("[5,3]", "[3,5]"), FULL_EXAMPLE.replace("808", "809"),
                FULL_EXAMPLE.replace("[0,", "[1,"), EXAMPLE)) {
            assertThat(BlockDescriptorList.fromJson(other)).isNotEqualTo(list);
        }
    }

    @Test
    void nothingCannotBeDescribed() {
        assertRefused(Kind.EMPTY_INPUT, () -> BlockDescriptorList.ofMutable(List.of()));
        assertRefused(Kind.EMPTY_INPUT, () -> BlockDescriptorList.ofImmutable(List.of()));
        assertRefused(Kind.EMPTY_INPUT, () -> BlockDescriptorList.fromJson(EXAMPLE.replace("0,1,2,3", "")));
    }

    @Test
    void blocksOfSeveralWorkersOrSetsAreNoList() {
        try (BlockList<MutableBlock> a = pool(1, 1).allocateBlocks(1);
                BlockList<MutableBlock> b = pool(2, 1).allocateBlocks(1);
                BlockList<MutableBlock> c = pool(1, 2).allocateBlocks(1)) {
            assertRefused(Kind.NOT_HOMOGENEOUS,
                    () -> BlockDescriptorList.ofMutable(List.of(a.getFirst(), b.getFirst())));
            assertRefused(Kind.NOT_HOMOGENEOUS,
                    () -> BlockDescriptorList.ofMutable(List.of(a.getFirst(), c.getFirst())));
        }
    }

    @Test
    void closedBlocksAreNotDescribed() {
        BlockPool pool = pool(1, 1);
        BlockList<MutableBlock> blocks = pool.allocateBlocks(2);
        blocks.get(1).close();
        assertRefused(Kind.INVALID_BLOCK_HANDLE, () -> BlockDescriptorList.ofMutable(blocks));
        blocks.close();
        BlockList<ImmutableBlock> shared = registered(pool, 1);
        shared.close();
        assertRefused(Kind.INVALID_BLOCK_HANDLE, () -> BlockDescriptorList.ofImmutable(shared));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "null", "[]", "{}", "1", "\"a\"", "{", "}", "{\"worker_id\":1337}",
        // missing
        "{\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\"}",
        // out of range or of another type
        "{\"worker_id\":-1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":18446744073709551616,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1.0,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1e3,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":\"1\",\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":null,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":2147483648,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":1,\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":0}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[-1]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[2147483648]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[[0]]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[\"0\"]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0],\"generations\":[]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0],\"generations\":[1,2]}",
        // twice
        "{\"worker_id\":1,\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0],\"block_indices\":[0]}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0],\"epoch\":1,\"epoch\":2}",
        // unknown, or more than the object
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0],\"x\":1}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]}{}",
        "{\"worker_id\":1,\"block_set_idx\":1,\"mutability\":\"Mutable\",\"block_indices\":[0]"})
    void anythingElseIsRefused(String text) {
        assertRefused(Kind.SERIALIZATION, () -> BlockDescriptorList.fromJson(text));
    }

    @Test
    void moreBlocksThanTheLimitAreRefused() {
        String most = "0,".repeat(BlockDescriptorList.MAX_BLOCKS - 1) + "0";
        assertThat(BlockDescriptorList.fromJson(EXAMPLE.replace("0,1,2,3", most)).size())
                .isEqualTo(BlockDescriptorList.MAX_BLOCKS);
        assertRefused(Kind.SERIALIZATION, () -> BlockDescriptorList.fromJson(EXAMPLE.replace("0,1,2,3", most + ",0")));
        assertRefused(Kind.SERIALIZATION, () -> BlockDescriptorList
                .fromJson(EXAMPLE.replace("]}", "],\"generations\":[" + most + ",0]}")));
    }

    private static void assertRefused(Kind kind, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatExceptionOfType(DescriptorException.class).isThrownBy(call)
                .extracting(DescriptorException::kind)
                .isEqualTo(kind);
    }

    @Test
    @DisplayName("100,000 mutations of valid text are a list, which comes back the same, or a DescriptorException")
    void mutatedTextIsAListOrRefused() {
        Random random = RandomCase.random("BlockDescriptorListTest.mutatedText");
        String alphabet = "{}[]\",:0123456789.eE-+ \\/nulltrfasMuIiwok_\u0000\u20ac\ud83d\n";
        int lists = 0;
        for (int run = 0; run < RandomCase.cases(100_000); run++) {
            String text = mutated(random.nextBoolean() ? EXAMPLE : FULL_EXAMPLE, alphabet, random);
            try {
                BlockDescriptorList list = BlockDescriptorList.fromJson(text);
                lists++;
                assertThat(BlockDescriptorList.fromJson(list.toJson())).isEqualTo(list);
            } catch (DescriptorException e) {
                assertThat(e.kind()).as(text).isNotEqualTo(Kind.NOT_HOMOGENEOUS);
                assertThat(e.getMessage()).as("message for %s", text).hasSizeLessThan(2000);
            } catch (RuntimeException | Error e) {
                throw new AssertionError("unexpected for " + text, e);
            }
        }
        assertThat(lists).as("texts that were still a list").isGreaterThan(100);
    }

    private static String mutated(String valid, String alphabet, Random random) {
        StringBuilder text = new StringBuilder(valid);
        for (int change = random.nextInt(4); change >= 0; change--) {
            int at = random.nextInt(text.length());
            switch (random.nextInt(6)) {
                case 0 -> text.deleteCharAt(at);
                case 1 -> text.insert(at, alphabet.charAt(random.nextInt(alphabet.length())));
                case 2 -> text.setCharAt(at, alphabet.charAt(random.nextInt(alphabet.length())));
                case 3 -> text.insert(at, text.substring(at, Math.min(text.length(), at + random.nextInt(20))));
                case 4 -> text.insert(at, String.valueOf(random.nextInt(10)).repeat(random.nextInt(2000)));
                default -> text.delete(at, Math.min(text.length(), at + random.nextInt(20)));
            }
            if (text.isEmpty()) {
                text.append(' ');
            }
        }
        return text.toString();
    }
}
