package io.kvbm.remote;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class BlocksetJsonTest {

    /** The host level of the reference's own manager test, as it writes it. */
    private static final String HOST = "{\"FullyContiguous\":{\"config\":{\"inner\":{\"num_blocks\":16,\"num_layers\":3,"
            + "\"page_size\":4,\"inner_dim\":16,\"alignment\":1,\"dtype\":\"FP16\"},\"memory_region_size\":128,"
            + "\"layer_stride_in_bytes\":128,\"natural_block_stride\":384,\"block_stride_in_bytes\":384,"
            + "\"layout_data_bytes\":6144},\"base_offset\":0,\"storage_descriptors\":[{\"addr\":139652286061824,"
            + "\"size\":6144,\"mem_type\":\"Dram\",\"device_id\":0}],\"storage_type\":\"Pinned\"}}";
    /** Its GPU level, with blocks that are aligned, of another dtype and at an address of the upper half. */
    private static final String DEVICE = "{\"FullyContiguous\":{\"config\":{\"inner\":{\"num_blocks\":8,\"num_layers\":3,"
            + "\"page_size\":4,\"inner_dim\":16,\"alignment\":256,\"dtype\":\"I8\"},\"memory_region_size\":64,"
            + "\"layer_stride_in_bytes\":64,\"natural_block_stride\":192,\"block_stride_in_bytes\":256,"
            + "\"layout_data_bytes\":1984},\"base_offset\":255,\"storage_descriptors\":[{\"addr\":18446603336221196289,"
            + "\"size\":2239,\"mem_type\":\"Vram\",\"device_id\":5}],\"storage_type\":{\"Device\":5}}}";

    private static final Blockset BOTH = new Blockset(-1, 0, null, List.of(
            new ExportedLevel(0, CacheLevel.G1, LayoutType.FULLY_CONTIGUOUS, Exports.config(8, 3, 256, DType.I8),
                    List.of(new ExportedMemory(new StorageType.Device(5), 0xffff_8000_0000_0001L, 2239, 255)), null),
            new ExportedLevel(1, CacheLevel.G2, LayoutType.FULLY_CONTIGUOUS, Exports.config(16, 3, 1, DType.FP16),
                    List.of(new ExportedMemory(new StorageType.Pinned(), 139_652_286_061_824L, 6144, 0)), null)),
            new byte[]{0, 127, -1});

    private static void refused(Kind kind, String why, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String numbers(byte[] bytes) {
        return IntStream.range(0, bytes.length)
                .mapToObj(i -> Integer.toString(Byte.toUnsignedInt(bytes[i])))
                .collect(Collectors.joining(",", "[", "]"));
    }

    private static String document(String sets, String metadata, String worker) {
        return "{\"block_sets\":{" + sets + "},\"nixl_metadata\":" + metadata + ",\"worker_id\":" + worker + "}";
    }

    private static String set(String number, String layout) {
        return "\"" + number + "\":" + numbers(utf8(layout));
    }

    private static String both() {
        return document(set("0", DEVICE) + "," + set("1", HOST), "[0,127,255]", "18446744073709551615");
    }

    private static Blockset read(String text) {
        return BlocksetJson.read(utf8(text));
    }

    private static Blockset readLayout(String layout) {
        return BlocksetJson.read(Hostile.embedded(utf8(layout)));
    }

    private static void refusedLayout(Kind kind, String why, String layout) {
        refused(kind, why, () -> readLayout(layout));
    }

    private static String changed(String text, String from, String to) {
        assertThat(text).as("to be changed").contains(from);
        return text.replace(from, to);
    }

    @Test
    @DisplayName("4.3: the reference's text is read as it was meant, and written byte for byte as it writes it")
    void theReferencesTextIsReadAndWritten() {
        assertThat(read(both())).isEqualTo(BOTH);
        assertThat(new String(BlocksetJson.write(BOTH), StandardCharsets.UTF_8)).isEqualTo(both());
    }

    @Test
    void theReferencesMapHasNoOrderAndItsTextMayHaveSpace() {
        Blockset read = read("\n" + changed(document(set("1", HOST) + " , " + set("0", DEVICE), "[ 0, 127,255 ]\t",
                "18446744073709551615"), "\"worker_id\":", "\"worker_id\" : ") + " ");
        assertThat(read.levels()).containsExactlyInAnyOrderElementsOf(BOTH.levels());
        String turned = document(set("1", "{\"FullyContiguous\":{\"storage_type\":\"Pinned\"," + changed(HOST.substring(
                HOST.indexOf("\"config\"")), ",\"storage_type\":\"Pinned\"", "")), "[]", "1");
        assertThat(read(turned).levels()).containsExactly(BOTH.levels().get(1));
    }

    @Test
    void whatIsWrittenIsReadAsItWas() {
        Random random = RandomCase.random("BlocksetJsonTest.whatIsWrittenIsReadAsItWas");
        for (int i = 0; i < RandomCase.cases(1000); i++) {
            Blockset blockset = RandomBlockset.ofReference(random);
            byte[] text = BlocksetJson.write(blockset);
            Blockset read = BlocksetJson.read(text);
            assertThat(read).isEqualTo(blockset);
            assertThat(BlocksetJson.write(read)).isEqualTo(text);
        }
    }

    @Test
    void whatTheFormCannotSayIsGoneAfterIt() {
        ExportedLevel shared = Exports.level(1, Exports.config(2, 1, 1, DType.U8), LayoutType.FULLY_CONTIGUOUS,
                Exports.SYSTEM, 4096, new SharedMemoryAddress(1, 0, 1, 3, List.of(4)));
        Blockset read = BlocksetJson.read(BlocksetJson
                .write(new Blockset(7, 1_770_000_000_123L, Exports.fingerprint(), List.of(shared), new byte[0])));
        assertThat(read).isEqualTo(Exports.of(new ExportedLevel(1, CacheLevel.G2, LayoutType.FULLY_CONTIGUOUS,
                shared.layout(), shared.memory(), null)));
        assertThat(read.isOf(Exports.fingerprint())).isFalse();
    }

    @Test
    void theLargestAgentMetadataAndAllBlockSetsHaveRoom() {
        byte[] metadata = new byte[Blockset.MAX_AGENT_METADATA];
        Arrays.fill(metadata, (byte) -1);
        List<ExportedLevel> levels = IntStream.range(0, Blockset.MAX_LEVELS)
                .mapToObj(i -> Exports.level(Integer.MAX_VALUE - i))
                .map(level -> new ExportedLevel(level.blockSet(), level.level(), level.layoutType(), level.layout(),
                        List.of(new ExportedMemory(Exports.SYSTEM, (long) level.blockSet() << 32, 1L << 32, 0)), null))
                .toList();
        Blockset blockset = new Blockset(-1, 0, null, levels, metadata);
        assertThat(BlocksetJson.read(BlocksetJson.write(blockset))).isEqualTo(blockset);
    }

    @Test
    void dtypesAreThoseOfTheReference() {
        Set<DType> known = Set.of(DType.FP8, DType.FP16, DType.BF16, DType.FP32, DType.U8, DType.U16, DType.U32,
                DType.U64, DType.I8, DType.I16, DType.I32, DType.I64);
        for (DType dtype : DType.values()) {
            Blockset blockset = Exports.of(Exports.level(1, Exports.config(2, 1, 1, dtype), LayoutType.FULLY_CONTIGUOUS,
                    Exports.SYSTEM, 4096, null));
            if (known.contains(dtype)) {
                assertThat(BlocksetJson.read(BlocksetJson.write(blockset))).isEqualTo(blockset);
            } else {
                refused(Kind.UNSUPPORTED_LAYOUT, "elements of type " + dtype, () -> BlocksetJson.write(blockset));
                refusedLayout(Kind.MALFORMED, "is not known", changed(HOST, "FP16", dtype.name()));
            }
        }
    }

    @Test
    void whatTheFormHasNoWordsForIsNotWritten() {
        LayoutConfig config = Exports.config(2, 2, 1, DType.U8);
        refused(Kind.UNSUPPORTED_LAYOUT, "of type LAYER_SEPARATE", () -> BlocksetJson.write(
                Exports.of(Exports.level(1, config, LayoutType.LAYER_SEPARATE, Exports.SYSTEM, 0, null))));
        refused(Kind.UNSUPPORTED_LAYOUT, "2 outer parts", () -> BlocksetJson.write(Exports.of(Exports.level(1,
                new LayoutConfig(2, 2, 2, 4, 16, 1, DType.U8, 1, HeadOrder.NHD), LayoutType.FULLY_CONTIGUOUS,
                Exports.SYSTEM, 0,
                null))));
        for (StorageType type : List.of(new StorageType.Null(), new StorageType.Nixl())) {
            refused(Kind.UNSUPPORTED_LAYOUT, "memory of kind", () -> BlocksetJson.write(
                    Exports.of(Exports.level(1, config, LayoutType.FULLY_CONTIGUOUS, type, 0, null))));
        }
        ExportedLevel host = Exports.level(1);
        refused(Kind.UNSUPPORTED_LAYOUT, "of level G3", () -> BlocksetJson.write(Exports.of(new ExportedLevel(1,
                CacheLevel.G3, host.layoutType(), host.layout(), host.memory(), null))));
    }

    @Test
    void otherLayoutsThanFullyContiguousAreATypedError() {
        refusedLayout(Kind.UNSUPPORTED_LAYOUT, "'LayerSeparate'",
                changed(HOST, "FullyContiguous", "LayerSeparate"));
    }

    @ParameterizedTest
    @DisplayName("MGR-9: a block set in memory that is neither of a host nor of a GPU is left out")
    @ValueSource(strings = {"Block", "Object", "File", "Unknown"})
    void blockSetsInOtherMemoryAreLeftOut(String kind) {
        String elsewhere = changed(changed(HOST, "Dram", kind), "Pinned", "Nixl");
        Blockset read = read(document(set("3", elsewhere) + "," + set("1", HOST), "[]", "1"));
        assertThat(read.levels()).containsExactly(BOTH.levels().get(1));
    }

    @ParameterizedTest
    @CsvSource({"num_blocks,16", "num_layers,3", "page_size,4", "inner_dim,16", "alignment,1", "memory_region_size,128",
        "layer_stride_in_bytes,128", "natural_block_stride,384", "block_stride_in_bytes,384", "layout_data_bytes,6144",
        "base_offset,0", "size,6144", "device_id,0", "addr,139652286061824"})
    void everyNumberIsDerivedAgainAndBounded(String field, String value) {
        String now = "\"" + field + "\":" + value;
        for (String other : List.of("-1", "1.0", "1e2", "null", "\"1\"", "[]", "true", "18446744073709551616",
                "99999999999999999999", "111111111111111111111111111", "00", "+1", "0x10", "NaN")) {
            refusedLayout(Kind.MALFORMED, "", changed(HOST, now, "\"" + field + "\":" + other));
        }
        if (!field.equals("addr")) {
            refusedLayout(Kind.MALFORMED, "", changed(HOST, now, "\"" + field + "\":" + (Long.parseLong(value) - 1)));
            refusedLayout(Kind.MALFORMED, "", changed(HOST, now, "\"" + field + "\":18446744073709551615"));
        }
        refusedLayout(Kind.MALFORMED, "", changed(HOST, "\"" + field + "\":", "\"" + field + "s\":"));
        refusedLayout(Kind.MALFORMED, "given twice", changed(HOST, now, now + "," + now));
    }

    @Test
    void impossibleDimensionsAreRefused() {
        refusedLayout(Kind.MALFORMED, "", changed(HOST, "\"alignment\":1", "\"alignment\":3"));
        refusedLayout(Kind.MALFORMED, "", changed(HOST, "\"inner_dim\":16", "\"inner_dim\":2147483648"));
        String huge = HOST.replaceAll("(num_blocks|num_layers|page_size|inner_dim)\":[0-9]+", "$1\":2147483647");
        refusedLayout(Kind.MALFORMED, "over 2^63 bytes", huge);
        refusedLayout(Kind.MALFORMED, "states the sizes", changed(HOST, "\"num_layers\":3", "\"num_layers\":4"));
    }

    @Test
    void memoryAndItsKindAgree() {
        refusedLayout(Kind.MALFORMED, "no storage of kind", changed(HOST, "Dram", "Vram"));
        refusedLayout(Kind.MALFORMED, "no storage of kind", changed(HOST, "\"device_id\":0", "\"device_id\":1"));
        refusedLayout(Kind.MALFORMED, "no storage of kind", changed(DEVICE, "{\"Device\":5}", "{\"Device\":4}"));
        refusedLayout(Kind.MALFORMED, "no storage of kind", changed(DEVICE, "Vram", "Dram"));
        refusedLayout(Kind.MALFORMED, "no storage of kind", changed(HOST, "Dram", "dram"));
        refusedLayout(Kind.MALFORMED, "no storage of kind", changed(HOST, "Pinned", "Null"));
        refusedLayout(Kind.MALFORMED, "'Paged' is not known", changed(HOST, "Pinned", "Paged"));
        refusedLayout(Kind.MALFORMED, "", changed(DEVICE, "{\"Device\":5}", "{\"Device\":2147483648}"));
        refusedLayout(Kind.MALFORMED, "", changed(DEVICE, "{\"Device\":5}", "{\"Cuda\":5}"));
        refusedLayout(Kind.MALFORMED, "", changed(DEVICE, "{\"Device\":5}", "{}"));
        assertThat(readLayout(changed(HOST, "Pinned", "System")).levels().getFirst().storageType())
                .isEqualTo(Exports.SYSTEM);
        assertThat(readLayout(changed(HOST, "139652286061824", "18446744073709545472")).levels()
                .getFirst()
                .memory()
                .getFirst()
                .address()).isEqualTo(-6144);
        refusedLayout(Kind.MALFORMED, "behind the last address",
                changed(HOST, "139652286061824", "18446744073709545473"));
    }

    @Test
    @DisplayName("MGR-9: a layout lies in one memory")
    void moreOrLessThanOneMemoryIsRefused() {
        String memory = HOST.substring(HOST.indexOf("{\"addr\""), HOST.indexOf("]"));
        refusedLayout(Kind.MALFORMED, "more than one memory", changed(HOST, memory, memory + "," + memory));
        refusedLayout(Kind.MALFORMED, "", changed(HOST, memory, ""));
        refusedLayout(Kind.MALFORMED, "", changed(HOST, memory, "{}"));
        refusedLayout(Kind.MALFORMED, "", "{}");
        refusedLayout(Kind.MALFORMED, "given twice", "{" + HOST.substring(1, HOST.length() - 1) + "," + HOST.substring(
                1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "01", "+1", "1.0", "", " 1", "1 ", "2147483648", "99999999999", "x", "\u0661",
        "100000000000000000000000000000000000"})
    void aBlockSetThatIsNoNumberIsRefused(String number) {
        refused(Kind.MALFORMED, "", () -> read(document(set(number, HOST), "[]", "1")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "1.0", "18446744073709551616", "null", "\"1\"", "01", "-0"})
    void aWorkerThatIsNoNumberIsRefused(String worker) {
        refused(Kind.MALFORMED, "", () -> read(document("", "[]", worker)));
        assertThat(read(document("", "[]", "0")).workerId()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "\"\"", "{}", "[256]", "[-1]", "[-0]", "[00]", "[1000]", "[1.0]", "[[1]]", "[1",
        "[1,]", "[1 2]"})
    void metadataOfOtherThanBytesIsRefused(String metadata) {
        refused(Kind.MALFORMED, "", () -> read(document("", metadata, "1")));
    }

    @Test
    void aTextOfAnotherFormIsRefused() {
        for (String text : List.of("", " ", "null", "[]", "1", "\"x\"", "{}", "{\"block_sets\":{}}", "\ufeff" + both(),
                both() + both(), both() + "x", both() + "}", changed(both(), "worker_id", "Worker_id"),
                changed(both(), ":{\"0\"", ":[{\"0\""), "[".repeat(100_000), "{\"block_sets\":".repeat(100_000),
                "{\"" + "a".repeat(100_000), "{\"worker_id\":" + "1".repeat(100_000) + "}",
                changed(both(), "{\"block_sets\"", "{/* */\"block_sets\""))) {
            refused(Kind.MALFORMED, "", () -> read(text));
        }
        refused(Kind.MALFORMED, "no UTF-8", () -> BlocksetJson.read(new byte[]{'{', -1, '}'}));
        refused(Kind.MALFORMED, "no UTF-8", () -> BlocksetJson.read(new byte[]{'"', (byte) 0xed, (byte) 0xa0,
            (byte) 0x80, '"'}));
        refused(Kind.MALFORMED, "given twice", () -> read(document(set("1", HOST) + "," + set("1", HOST), "[]", "1")));
    }

    @Test
    void anErrorNamesTheOthersTextWithoutItsControlCharacters() {
        refused(Kind.MALFORMED, "'a??b?' is no block set number",
                () -> read(document("\"a\\n\\u001b\\u0062\u00e4\":[]", "[]", "1")));
    }

    @Test
    void everyTruncationIsRefused() {
        byte[] text = utf8(both());
        for (int length = 0; length < text.length; length++) {
            assertThat(Hostile.readJson(Arrays.copyOf(text, length))).as("length %s", length).isFalse();
        }
        byte[] host = utf8(HOST);
        for (int length = 0; length < host.length; length++) {
            assertThat(Hostile.readJson(Hostile.embedded(Arrays.copyOf(host, length)))).as("length %s", length)
                    .isFalse();
        }
    }

    @Test
    void tooMuchOfAnythingIsRefused() {
        String nine = IntStream.range(0, 9)
                .mapToObj(i -> set("" + i, changed(HOST, "139652286061824", "" + (i << 20))))
                .collect(Collectors.joining(","));
        refused(Kind.LIMIT, "block sets is 9, over the limit of 8", () -> read(document(nine, "[]", "1")));
        refused(Kind.LIMIT, "is 262145, over the limit of 262144", () -> read(document("",
                Collections.nCopies(Blockset.MAX_AGENT_METADATA + 1, "1").toString(), "1")));
        refused(Kind.LIMIT, "is 2097153, over the limit of 2097152",
                () -> BlocksetJson.read(new byte[BlocksetJson.MAX_BYTES + 1]));
        refused(Kind.LIMIT, "is 4097, over the limit of 4096",
                () -> readLayout(HOST + " ".repeat(4097 - HOST.length())));
        assertThat(readLayout(HOST + " ".repeat(4096 - HOST.length())).levels()).hasSize(1);
    }

    @Test
    void hostileTextIsRefusedWhateverItIs() {
        Random random = RandomCase.random("hostileTextIsRefusedWhateverItIs");
        byte[] other = utf8(both());
        byte[] otherLayout = utf8(DEVICE);
        for (int i = 0; i < RandomCase.cases(200); i++) {
            Blockset blockset = RandomBlockset.ofReference(random);
            byte[] text = BlocksetJson.write(blockset);
            for (int j = 0; j < 20; j++) {
                byte[] mutated = Hostile.mutated(text, other, random);
                Hostile.readJson(mutated);
                Hostile.requireFrugal(mutated, BlocksetJson::read, 16);
            }
            for (ExportedLevel level : blockset.levels()) {
                byte[] layout = ReferenceLayoutJson.write(level);
                for (int j = 0; j < 10; j++) {
                    byte[] embedded = Hostile.embedded(Hostile.mutated(layout, otherLayout, random));
                    Hostile.readJson(embedded);
                    Hostile.requireFrugal(embedded, BlocksetJson::read, 16);
                }
                otherLayout = layout;
            }
            other = text;
        }
    }
}
