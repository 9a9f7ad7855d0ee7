package io.kvbm.token;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.error.ConfigException;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class IdentityChainTest {

    private static final ContentFingerprint MODEL = ModelIdentityTest.llama().build().fingerprint();
    private static final ContentFingerprint OTHER_MODEL = ModelIdentityTest.llama()
            .revision("r2")
            .build()
            .fingerprint();

    private static IdentityChain chain(String tenant, IdentityKind kind, int pageSize, int[] tokens) {
        IdentityChain chain = new IdentityChain(MODEL, tenant, kind, pageSize);
        chain.extend(tokens, 0, tokens.length / pageSize * pageSize);
        return chain;
    }

    /** Every word the chain knows, block by block. */
    private static List<Long> content(IdentityChain chain) {
        List<Long> all = new ArrayList<>();
        for (int b = 0; b < chain.size(); b++) {
            all.add(chain.blockHash(b));
            all.add(chain.sequenceHash(b));
            all.add(chain.probe(b));
            for (int w = 0; w < chain.words(); w++) {
                all.add(chain.word(b, w));
            }
        }
        return all;
    }

    /** The identities by the definition, written down as plainly as it goes. */
    private static long[][] sha256(ContentFingerprint fingerprint, String tenant, int[] tokens, int pageSize)
            throws NoSuchAlgorithmException {
        byte[] name = tenant.getBytes(StandardCharsets.UTF_8);
        ByteBuffer root = ByteBuffer.allocate(36 + name.length).order(ByteOrder.LITTLE_ENDIAN);
        root.put(fingerprint.bytes()).putInt(name.length).put(name);
        byte[] parent = MessageDigest.getInstance("SHA-256").digest(root.array());
        long[][] identities = new long[tokens.length / pageSize][4];
        for (int b = 0; b < identities.length; b++) {
            ByteBuffer block = ByteBuffer.allocate(32 + 4 * pageSize).order(ByteOrder.LITTLE_ENDIAN);
            block.put(parent);
            for (int t = 0; t < pageSize; t++) {
                block.putInt(tokens[b * pageSize + t]);
            }
            parent = MessageDigest.getInstance("SHA-256").digest(block.array());
            ByteBuffer.wrap(parent).asLongBuffer().get(identities[b]);
        }
        return identities;
    }

    @Test
    void sha256IdentitiesFollowTheDefinition() throws Exception {
        Random random = RandomCase.random("IdentityChainTest.sha256IdentitiesFollowTheDefinition");
        for (int pageSize : new int[]{1, 2, 3, 7, 8, 9, 16, 64, 1000, 2048, 3000}) {
            for (String tenant : List.of("", "acme", "größe")) {
                int[] tokens = RandomCase.tokens(random, pageSize * (1 + 6000 / pageSize));
                IdentityChain chain = chain(tenant, IdentityKind.SHA256, pageSize, tokens);
                long[][] expected = sha256(MODEL, tenant, tokens, pageSize);
                assertThat(chain.size()).isEqualTo(expected.length);
                assertThat(chain.words()).isEqualTo(4);
                for (int b = 0; b < expected.length; b++) {
                    assertThat(words(chain, b)).isEqualTo(expected[b]);
                    assertThat(chain.probe(b)).isEqualTo(expected[b][0]);
                }
            }
        }
    }

    private static long[] words(IdentityChain chain, int block) {
        return IntStream.range(0, chain.words()).mapToLong(w -> chain.word(block, w)).toArray();
    }

    @Test
    void xxh3IdentitiesAreTheSequenceHashes() {
        IdentityChain chain = IdentityChain.xxh3(4, 1337);
        chain.extend(IntStream.rangeClosed(1, 12).toArray(), 0, 12);
        assertThat(chain.kind()).isEqualTo(IdentityKind.XXH3);
        assertThat(chain.words()).isOne();
        assertThat(chain.pageSize()).isEqualTo(4);
        assertThat(chain.word(2, 0)).isEqualTo(chain.probe(2))
                .isEqualTo(chain.sequenceHash(2))
                .isEqualTo(Long.parseUnsignedLong("12583592247330656132"));
        assertThat(chain.blockHash(2)).isEqualTo(Long.parseUnsignedLong("483935686894639516"));
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("without a tenant, block and sequence hashes are those a router computes")
    void routersKnowTheHashes(IdentityKind kind) {
        int[] tokens = IntStream.rangeClosed(1, 64).toArray();
        IdentityChain chain = chain("", kind, 16, tokens);
        assertThat(chain.saltHash()).isEqualTo(TokenHash.DEFAULT_SALT_HASH);
        TokenBlockSequence sequence = new TokenBlockSequence(Tokens.of(tokens), 16, 1337);
        for (int b = 0; b < 4; b++) {
            assertThat(chain.blockHash(b)).isEqualTo(sequence.blockHash(b));
            assertThat(chain.sequenceHash(b)).isEqualTo(sequence.sequenceHash(b));
        }
        assertThat(chain.sequenceHash(3)).isEqualTo(Long.parseUnsignedLong("4923844688253642376"));
    }

    @ParameterizedTest
    @EnumSource
    void tenantsShareNoIdentity(IdentityKind kind) {
        int[] tokens = IntStream.range(0, 160).toArray();
        List<Long> probes = new ArrayList<>();
        List<Long> sequenceHashes = new ArrayList<>();
        for (String tenant : List.of("", "a", "b", "ab", "A", "a ", "\u0000")) {
            IdentityChain chain = chain(tenant, kind, 16, tokens);
            for (int b = 0; b < chain.size(); b++) {
                probes.add(chain.probe(b));
                sequenceHashes.add(chain.sequenceHash(b));
            }
        }
        assertThat(probes).doesNotHaveDuplicates();
        assertThat(sequenceHashes).doesNotHaveDuplicates();
    }

    @Test
    void theSaltOfATenantIsTheHashOfFingerprintAndTenant() {
        byte[] salt = Arrays.copyOf(MODEL.bytes(), 34);
        salt[32] = 'h';
        salt[33] = 'i';
        assertThat(new IdentityChain(MODEL, "hi", IdentityKind.XXH3, 16).saltHash())
                .isEqualTo(TokenHash.saltHash(salt));
    }

    @Test
    void modelsShareNoIdentity() {
        int[] tokens = IntStream.range(0, 32).toArray();
        for (String tenant : List.of("", "a")) {
            IdentityChain other = new IdentityChain(OTHER_MODEL, tenant, IdentityKind.SHA256, 16);
            other.extend(tokens, 0, 32);
            assertThat(words(other, 1)).doesNotContain(words(chain(tenant, IdentityKind.SHA256, 16, tokens), 1));
        }
        IdentityChain other = new IdentityChain(OTHER_MODEL, "a", IdentityKind.XXH3, 16);
        other.extend(tokens, 0, 32);
        assertThat(other.probe(1)).isNotEqualTo(chain("a", IdentityKind.XXH3, 16, tokens).probe(1));
    }

    @Test
    void aTenantThatUtf8CannotEncodeIsRefused() {
        for (IdentityKind kind : IdentityKind.values()) {
            assertThatThrownBy(() -> new IdentityChain(MODEL, "a\ud800", kind, 16)).hasMessageContaining("tenant")
                    .asInstanceOf(type(ConfigException.class))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(ConfigException.Kind.INVALID));
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyTokenUpToTheBlocksEndCounts(IdentityKind kind) {
        int[] tokens = IntStream.range(0, 32).toArray();
        IdentityChain original = chain("t", kind, 8, tokens);
        for (int t = 0; t < 32; t++) {
            tokens[t] ^= 1 << 31;
            IdentityChain changed = chain("t", kind, 8, tokens);
            tokens[t] ^= 1 << 31;
            for (int b = 0; b < 4; b++) {
                assertThat(Arrays.equals(words(changed, b), words(original, b))).isEqualTo(t >= (b + 1) * 8);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("random extends, truncates and copies equal the chain made from scratch")
    void randomSplits(IdentityKind kind) {
        Random random = RandomCase.random("IdentityChainTest.randomSplits " + kind);
        for (int run = 0; run < RandomCase.cases(200); run++) {
            int pageSize = 1 + random.nextInt(20);
            int[] tokens = new int[0];
            IdentityChain chain = new IdentityChain(MODEL, "t", kind, pageSize);
            for (int step = 0; step < 12; step++) {
                int blocks = tokens.length / pageSize;
                switch (random.nextInt(4)) {
                    case 0 -> {
                        int keep = random.nextInt(blocks + 1);
                        chain.truncate(keep);
                        tokens = Arrays.copyOf(tokens, keep * pageSize);
                    }
                    case 1 -> {
                        int keep = random.nextInt(blocks + 1);
                        IdentityChain before = chain;
                        List<Long> whole = content(before);
                        chain = before.copy(keep);
                        int[] more = RandomCase.tokens(random, pageSize);
                        chain.extend(more, 0, pageSize);
                        assertThat(content(before)).isEqualTo(whole);
                        tokens = append(Arrays.copyOf(tokens, keep * pageSize), more);
                    }
                    default -> {
                        int count = random.nextInt(random.nextInt(10) == 0 ? 300 : 5) * pageSize;
                        int[] more = RandomCase.tokens(random, count + 2);
                        chain.extend(more, 1, 1 + count);
                        tokens = append(tokens, Arrays.copyOfRange(more, 1, 1 + count));
                    }
                }
                assertThat(content(chain)).isEqualTo(content(chain("t", kind, pageSize, tokens)));
            }
        }
    }

    private static int[] append(int[] head, int[] tail) {
        return IntStream.concat(Arrays.stream(head), Arrays.stream(tail)).toArray();
    }

    @Test
    void aCopyAndItsOriginalGoSeparateWays() {
        int[] tokens = IntStream.range(0, 48).toArray();
        IdentityChain chain = chain("", IdentityKind.SHA256, 16, tokens);
        IdentityChain copy = chain.copy(2);
        List<Long> whole = content(chain);
        copy.extend(tokens, 0, 32);
        assertThat(content(chain)).isEqualTo(whole);
        chain.truncate(0);
        chain.extend(tokens, 16, 48);
        assertThat(content(copy).subList(0, 14)).isEqualTo(whole.subList(0, 14));
        assertThat(copy.size()).isEqualTo(4);
    }

    @Test
    void anEmptyRangeAddsNothing() {
        IdentityChain chain = new IdentityChain(MODEL, "", IdentityKind.SHA256, 16);
        chain.extend(new int[0], 0, 0);
        assertThat(chain.size()).isZero();
    }

    @Test
    void wrongCallsAreRefusedAndChangeNothing() {
        int[] tokens = IntStream.range(0, 48).toArray();
        for (IdentityKind kind : IdentityKind.values()) {
            IdentityChain chain = chain("", kind, 16, tokens);
            List<Long> before = content(chain);
            assertThatThrownBy(() -> chain.extend(tokens, 0, 17)).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("17 tokens")
                    .hasMessageContaining("page size 16");
            assertThatThrownBy(() -> chain.extend(tokens, 40, 56)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> chain.truncate(4)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> chain.truncate(-1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> chain.copy(4)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> chain.word(3, 0)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> chain.word(0, chain.words())).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> chain.word(0, -1)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> chain.probe(3)).isInstanceOf(IndexOutOfBoundsException.class);
            chain.truncate(2);
            assertThatThrownBy(() -> chain.probe(2)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> chain.sequenceHash(2)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(content(chain)).isEqualTo(before.subList(0, before.size() / 3 * 2));
        }
        assertThatThrownBy(() -> IdentityChain.xxh3(0, 1337)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new IdentityChain(MODEL, "", IdentityKind.SHA256, 0))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
