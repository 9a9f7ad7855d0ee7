package io.kvbm.token;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

class TokenHashTest {

    private static long u64(String decimal) {
        return Long.parseUnsignedLong(decimal);
    }

    private static long[] u64s(String... decimals) {
        return Arrays.stream(decimals).mapToLong(Long::parseUnsignedLong).toArray();
    }

    private static int[] oneTo(int n) {
        return IntStream.rangeClosed(1, n).toArray();
    }

    private static void assertSequence(int blocks, int pageSize, long saltHash, long[] blockHashes,
            long[] sequenceHashes) {
        long[] block = new long[blocks];
        long[] sequence = new long[blocks];
        new TokenHasher(saltHash).hashSequence(oneTo(blocks * pageSize), 0, blocks * pageSize, pageSize, block, 0,
                sequence, 0);
        assertThat(block).isEqualTo(blockHashes);
        assertThat(sequence).isEqualTo(sequenceHashes);
    }

    @Test
    @DisplayName("T34 the constants of the reference, salt 1337, block size 4")
    void referenceConstants() {
        long first = TokenHash.blockHash(new int[]{1, 2, 3, 4}, 0, 4, 1337);
        assertThat(first).isEqualTo(u64("14643705804678351452"));
        long second = TokenHash.blockHash(new int[]{5, 6, 7, 8}, 0, 4, 1337);
        assertThat(second).isEqualTo(u64("16777012769546811212"));
        long secondSequence = TokenHash.sequenceHash(first, second, 1337);
        assertThat(secondSequence).isEqualTo(u64("4945711292740353085"));
        long third = TokenHash.blockHash(new int[]{9, 10, 11, 12}, 0, 4, 1337);
        assertThat(third).isEqualTo(u64("483935686894639516"));
        assertThat(TokenHash.sequenceHash(secondSequence, third, 1337)).isEqualTo(u64("12583592247330656132"));

        assertSequence(4, 4, TokenHash.DEFAULT_SALT_HASH,
                u64s("14643705804678351452", "16777012769546811212", "483935686894639516", "135165725823939817"),
                u64s("14643705804678351452", "4945711292740353085", "12583592247330656132", "1921452330601040443"));
    }

    @Test
    void otherSaltsAndBlockSizes() {
        assertSequence(3, 4, 0, u64s("8052976908588476977", "13852901005659965728", "12087364272738490135"),
                u64s("8052976908588476977", "4185132130981121146", "9410009423372290283"));
        assertSequence(2, 4, 12345, u64s("2043797638476133447", "8970200972832837073"),
                u64s("2043797638476133447", "2317256538737089830"));
        assertSequence(2, 2, 0, u64s("254984204845929552", "1318990309937719404"),
                u64s("254984204845929552", "1574800886416835749"));
        assertSequence(4, 16, 1337,
                u64s("16863443419780771464", "2287610619914608821", "12129935312930971799", "5453111288643762282"),
                u64s("16863443419780771464", "12466389667045779788", "960926348267535642", "4923844688253642376"));
    }

    @Test
    void negativeTokensAreBitPatterns() {
        assertThat(TokenHash.blockHash(new int[]{-1, 0, 1, Integer.MIN_VALUE}, 0, 4, -1L))
                .isEqualTo(u64("11740973709473120139"));
    }

    @Test
    void tokensAreHashedLittleEndian() {
        int[] bigEndian = IntStream.of(1, 2, 3, 4).map(Integer::reverseBytes).toArray();
        long wrong = TokenHash.blockHash(bigEndian, 0, 4, 1337);
        assertThat(wrong).isEqualTo(u64("6969880179676927648"));
        assertThat(TokenHash.blockHash(oneTo(4), 0, 4, 1337)).isNotEqualTo(wrong);
    }

    @ParameterizedTest
    @CsvSource({"'', 3244421341483603138", "abc, 8696274497037089104", "model-a, 9534191125886374744"})
    void saltHashIsTheHashOfTheRawBytesWithSeedZero(String salt, String expected) {
        assertThat(TokenHash.saltHash(salt.getBytes(StandardCharsets.UTF_8))).isEqualTo(u64(expected));
    }

    @Test
    void rawBytesWithASeed() {
        byte[] abc = "abc".getBytes(StandardCharsets.UTF_8);
        assertThat(TokenHash.seeded(1337).hashBytesToLong(abc)).isEqualTo(u64("4555145769527694000"));
    }

    @ParameterizedTest(name = "{0} tokens")
    @CsvSource({"1, 15781232456890734344, 14426539925402682893, 17064378983524203240",
        "2, 254984204845929552, 10773075109927122010, 11756591442675063768",
        "3, 7764052002911021640, 15024015205894559313, 8724326254609533588",
        "4, 8052976908588476977, 14643705804678351452, 2498564416888662579",
        "5, 17505942995427945826, 1914873892905420881, 13539746708609297716",
        "8, 17637116820869978424, 4595599524572611415, 10563760727299876297",
        "16, 15195734001507359261, 16863443419780771464, 16002483021184339911",
        "17, 11655301787174881389, 6752489653130089168, 12555572333719871977",
        "32, 8314960005656838305, 6399025751206689338, 1688879757806568063",
        "33, 7236921582900185499, 13925446761547214078, 2257392679183964075",
        "48, 6415975157874412242, 11314537239321774180, 12741757593057846509",
        "60, 1731101544480345363, 66916212572691602, 14264836440404450132",
        "61, 10622233556075064870, 2825607085201376515, 13685657153455124568",
        "64, 13138934976839228579, 17732852320395450624, 7846453441110322677",
        "128, 16245386683385619868, 9108660569462882936, 2187234169277370945",
        "256, 14672839937263066920, 6483570558441252529, 15661564686046681903",
        "257, 17611141461798365056, 7486643948325046432, 9273440524024319368",
        "512, 16237277084899823664, 6136106876000258808, 12787532748506081265",
        "1024, 12806289287090707382, 17925303763139147509, 11043708187159798538"})
    void everyLengthClassOfTheHashFunction(int n, String unsalted, String salted, String allOnes) {
        int[] tokens = oneTo(n);
        assertThat(TokenHash.blockHash(tokens, 0, n, 0)).isEqualTo(u64(unsalted));
        assertThat(TokenHash.blockHash(tokens, 0, n, 1337)).isEqualTo(u64(salted));
        assertThat(TokenHash.blockHash(tokens, 0, n, -1L)).isEqualTo(u64(allOnes));
    }

    @Test
    @DisplayName("100,000 random sequences hash the same in bulk and block by block")
    void bulkEqualsOneByOne() {
        Random random = RandomCase.random("TokenHashTest.bulkEqualsOneByOne");
        long[] salts = {0, 1337, -1L, random.nextLong(), random.nextLong()};
        TokenHasher[] hashers = Arrays.stream(salts).mapToObj(TokenHasher::new).toArray(TokenHasher[]::new);
        for (int i = 0; i < RandomCase.cases(100_000); i++) {
            int pageSize = 1 + random.nextInt(random.nextInt(8) == 0 ? 80 : 20);
            int blocks = random.nextInt(6);
            int from = random.nextInt(4);
            int to = from + blocks * pageSize;
            int[] tokens = RandomCase.tokens(random, to + random.nextInt(4));
            int salt = random.nextInt(salts.length);
            long[] block = new long[blocks + 2];
            long[] sequence = new long[blocks + 3];
            boolean root = random.nextBoolean();
            long parent = random.nextLong();
            if (root) {
                hashers[salt].hashSequence(tokens, from, to, pageSize, block, 1, sequence, 2);
            } else {
                hashers[salt].hashSequenceAfter(parent, tokens, from, to, pageSize, block, 1, sequence, 2);
            }
            for (int b = 0; b < blocks; b++) {
                int at = from + b * pageSize;
                long blockHash = TokenHash.blockHash(tokens, at, at + pageSize, salts[salt]);
                parent = root && b == 0 ? blockHash : TokenHash.sequenceHash(parent, blockHash, salts[salt]);
                assertThat(block[1 + b]).isEqualTo(blockHash);
                assertThat(sequence[2 + b]).isEqualTo(parent);
            }
            assertThat(new long[]{block[0], block[blocks + 1], sequence[0], sequence[1], sequence[blocks + 2]})
                    .containsOnly(0);
        }
    }

    @Test
    void sequencesLongerThanTheHashersBufferAreOneChain() {
        for (int pageSize : new int[]{1, 7, 16, 2047, 2048, 2049, 5000}) {
            int blocks = 10_000 / pageSize;
            int[] tokens = oneTo(blocks * pageSize);
            long[] block = new long[blocks];
            long[] sequence = new long[blocks];
            new TokenHasher(1337).hashSequence(tokens, 0, tokens.length, pageSize, block, 0, sequence, 0);
            long parent = 0;
            for (int b = 0; b < blocks; b++) {
                long hash = TokenHash.blockHash(tokens, b * pageSize, (b + 1) * pageSize, 1337);
                parent = b == 0 ? hash : TokenHash.sequenceHash(parent, hash, 1337);
                assertThat(block[b]).isEqualTo(hash);
                assertThat(sequence[b]).isEqualTo(parent);
            }
        }
    }

    @Test
    void aHasherKeepsNothingOfALongerBlockBefore() {
        TokenHasher hasher = new TokenHasher(1337);
        hasher.blockHash(oneTo(1024), 0, 1024);
        assertThat(hasher.blockHash(oneTo(4), 0, 4)).isEqualTo(u64("14643705804678351452"));
    }

    @Test
    void wrongRangesAreRefused() {
        TokenHasher hasher = new TokenHasher(0);
        long[] four = new long[4];
        assertThatThrownBy(() -> hasher.hashSequence(oneTo(9), 0, 9, 4, four, 0, four, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("9 tokens")
                .hasMessageContaining("page size 4");
        assertThatThrownBy(() -> hasher.hashSequence(oneTo(8), 0, 8, 0, four, 0, four, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("below 1");
        assertThatThrownBy(() -> hasher.hashSequence(oneTo(8), 0, 12, 4, four, 0, four, 0))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> hasher.hashSequence(oneTo(8), 0, 8, 4, four, 3, four, 0))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> hasher.hashSequence(oneTo(8), 0, 8, 4, four, 0, four, -1))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(four).containsOnly(0);
    }
}
