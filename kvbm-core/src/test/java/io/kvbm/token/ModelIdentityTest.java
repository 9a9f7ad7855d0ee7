package io.kvbm.token;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

import org.junit.jupiter.api.Test;

import io.kvbm.error.ConfigException;
import io.kvbm.error.ConfigException.Kind;
import io.kvbm.layout.HeadOrder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class ModelIdentityTest {

    static ModelIdentity.Builder llama() {
        return ModelIdentity.builder()
                .modelId("llama")
                .revision("r1")
                .adapter("a1")
                .dtype("BF16")
                .layers(32)
                .outer(2)
                .heads(8)
                .headDim(128)
                .headOrder(HeadOrder.NHD)
                .pageSize(16)
                .rankLayout("tp0of2")
                .identityKind(IdentityKind.SHA256);
    }

    @Test
    void equalModelsHaveEqualFingerprints() {
        ContentFingerprint fingerprint = llama().build().fingerprint();
        assertThat(llama().build().fingerprint()).isEqualTo(fingerprint).hasSameHashCodeAs(fingerprint);
    }

    @Test
    void everyFieldChangesTheFingerprint() {
        Map<String, UnaryOperator<ModelIdentity.Builder>> changes = Map.ofEntries(
                Map.entry("modelId", b -> b.modelId("llama2")),
                Map.entry("revision", b -> b.revision("r2")), Map.entry("adapter", b -> b.adapter("")),
                Map.entry("dtype", b -> b.dtype("FP16")), Map.entry("layers", b -> b.layers(33)),
                Map.entry("outer", b -> b.outer(1)), Map.entry("heads", b -> b.heads(9)),
                Map.entry("headDim", b -> b.headDim(64)), Map.entry("headOrder", b -> b.headOrder(HeadOrder.HND)),
                Map.entry("pageSize", b -> b.pageSize(32)), Map.entry("rankLayout", b -> b.rankLayout("tp1of2")),
                Map.entry("identityKind", b -> b.identityKind(IdentityKind.XXH3)));
        List<String> components = List.of(ModelIdentity.class.getRecordComponents())
                .stream()
                .map(c -> c.getName())
                .toList();
        assertThat(changes.keySet()).containsExactlyInAnyOrderElementsOf(components);

        ContentFingerprint fingerprint = llama().build().fingerprint();
        List<ContentFingerprint> changed = changes.values()
                .stream()
                .map(change -> change.apply(llama()).build().fingerprint())
                .toList();
        assertThat(changed).doesNotContain(fingerprint).doesNotHaveDuplicates();
    }

    @Test
    void textThatMovesOverAFieldBoundaryChangesTheFingerprint() {
        assertThat(llama().modelId("ab").revision("c").build().fingerprint())
                .isNotEqualTo(llama().modelId("a").revision("bc").build().fingerprint());
        assertThat(llama().revision("x").adapter("yz").build().fingerprint())
                .isNotEqualTo(llama().revision("xy").adapter("z").build().fingerprint());
    }

    @Test
    void numbersThatSwapFieldsChangeTheFingerprint() {
        assertThat(llama().heads(8).headDim(128).build().fingerprint())
                .isNotEqualTo(llama().heads(128).headDim(8).build().fingerprint());
    }

    @Test
    void theEncodingIsTheDocumentedOne() throws Exception {
        ByteArrayOutputStream encoded = new ByteArrayOutputStream();
        text(encoded, "kvbm-content-fingerprint-1");
        text(encoded, "modèle");
        text(encoded, "r1");
        text(encoded, "a1");
        text(encoded, "BF16");
        for (int number : new int[]{32, 2, 8, 128}) {
            number(encoded, number);
        }
        text(encoded, "NHD");
        number(encoded, 16);
        text(encoded, "tp0of2");
        text(encoded, "SHA256");
        byte[] expected = MessageDigest.getInstance("SHA-256").digest(encoded.toByteArray());

        ContentFingerprint fingerprint = llama().modelId("modèle").build().fingerprint();
        assertThat(fingerprint.bytes()).isEqualTo(expected);
        assertThat(fingerprint).hasToString(HexFormat.of().formatHex(expected));
        ByteBuffer words = ByteBuffer.wrap(expected);
        assertThat(fingerprint.words()).containsExactly(words.getLong(), words.getLong(), words.getLong(),
                words.getLong());
        assertThat(ContentFingerprint.ofBytes(expected)).isEqualTo(fingerprint);
    }

    private static void text(ByteArrayOutputStream out, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeBytes(littleEndian(bytes.length));
        out.writeBytes(bytes);
    }

    private static void number(ByteArrayOutputStream out, int value) {
        out.writeBytes(littleEndian(4));
        out.writeBytes(littleEndian(value));
    }

    private static byte[] littleEndian(int value) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
    }

    @Test
    void whatIsMissingIsNamed() {
        assertRefused(Kind.MISSING, "modelId", llama().modelId(" "));
        assertRefused(Kind.MISSING, "revision", llama().revision(""));
        assertRefused(Kind.MISSING, "dtype", llama().dtype(""));
        ModelIdentity.Builder builder = ModelIdentity.builder();
        assertRefused(Kind.MISSING, "modelId", builder);
        assertRefused(Kind.MISSING, "revision", builder.modelId("m"));
        assertRefused(Kind.MISSING, "dtype", builder.revision("r"));
        assertRefused(Kind.MISSING, "layers", builder.dtype("FP16"));
        assertRefused(Kind.MISSING, "heads", builder.layers(1));
        assertRefused(Kind.MISSING, "headDim", builder.heads(1));
        assertRefused(Kind.MISSING, "pageSize", builder.headDim(1));
        assertThat(builder.pageSize(16).build()).isEqualTo(new ModelIdentity("m", "r", "", "FP16", 1, 2, 1, 1,
                HeadOrder.NHD, 16, "", IdentityKind.SHA256));
    }

    @Test
    void whatIsInvalidIsNamedWithItsValue() {
        assertRefused(Kind.INVALID, "layers is 0", llama().layers(0));
        assertRefused(Kind.INVALID, "outer is -1", llama().outer(-1));
        assertRefused(Kind.INVALID, "heads is 0", llama().heads(0));
        assertRefused(Kind.INVALID, "headDim is 0", llama().headDim(0));
        assertRefused(Kind.INVALID, "pageSize is -16", llama().pageSize(-16));
        for (UnaryOperator<ModelIdentity.Builder> change : List.<UnaryOperator<ModelIdentity.Builder>>of(
                b -> b.modelId("m\ud800"),
                b -> b.revision("\udc00"), b -> b.adapter("\ud800"), b -> b.dtype("\ud800"),
                b -> b.rankLayout("\ud800x"))) {
            assertRefused(Kind.INVALID, "Unicode", change.apply(llama()));
        }
    }

    private static void assertRefused(Kind kind, String text, ModelIdentity.Builder builder) {
        assertThatThrownBy(builder::build).hasMessageContaining(text)
                .asInstanceOf(type(ConfigException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    @Test
    void aFingerprintHasThirtyTwoBytesAndKeepsThem() {
        assertThatThrownBy(() -> ContentFingerprint.ofBytes(new byte[31])).isInstanceOf(IllegalArgumentException.class);
        byte[] bytes = new byte[32];
        for (int i = 0; i < 32; i++) {
            ContentFingerprint before = ContentFingerprint.ofBytes(bytes);
            bytes[i] = 1;
            assertThat(ContentFingerprint.ofBytes(bytes)).isNotEqualTo(before);
            before.bytes()[i] = 7;
            assertThat(before.bytes()[i]).isZero();
        }
    }
}
