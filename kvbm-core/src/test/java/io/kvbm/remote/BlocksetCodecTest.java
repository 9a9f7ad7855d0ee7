package io.kvbm.remote;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class BlocksetCodecTest {

    private static final int DIGEST = 32;
    /** Where the first section starts, which holds worker and epoch in 16 bytes. */
    private static final int WORKER = 16;
    /** Where the content of the section behind it starts. */
    private static final int SECOND = WORKER + 6 + 16 + 6;

    private static void refused(Kind kind, String why, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    private static void refused(Kind kind, String why, byte[] document) {
        refused(kind, why, () -> BlocksetCodec.decode(document));
    }

    private static byte[] golden() {
        try (InputStream file = BlocksetCodecTest.class.getResourceAsStream("blockset-v1.bin")) {
            return file.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] section(int tag, byte... content) {
        return ByteBuffer.allocate(6 + content.length)
                .putShort((short) tag)
                .putInt(content.length)
                .put(content)
                .array();
    }

    private static byte[] sectionOf(byte[] document, int index) {
        int at = WORKER;
        for (int i = 0; i < index; i++) {
            at += 6 + ByteBuffer.wrap(document).getInt(at + 2);
        }
        return Arrays.copyOfRange(document, at, at + 6 + ByteBuffer.wrap(document).getInt(at + 2));
    }

    /** A document of these sections. */
    private static byte[] document(byte[]... sections) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(golden(), 0, WORKER);
        for (byte[] section : sections) {
            out.write(section, 0, section.length);
        }
        out.write(new byte[DIGEST], 0, DIGEST);
        return Hostile.sealed(out.toByteArray());
    }

    /** The document with its sections in front of more. */
    private static byte[] with(byte[] document, byte[]... sections) {
        List<byte[]> all = new ArrayList<>();
        all.add(Arrays.copyOfRange(document, WORKER, document.length - DIGEST));
        Collections.addAll(all, sections);
        return document(all.toArray(byte[][]::new));
    }

    private static byte[] withShort(byte[] document, int at, int value) {
        byte[] changed = document.clone();
        ByteBuffer.wrap(changed).putShort(at, (short) value);
        return Hostile.sealed(changed);
    }

    private static byte[] withInt(byte[] document, int at, int value) {
        byte[] changed = document.clone();
        ByteBuffer.wrap(changed).putInt(at, value);
        return Hostile.sealed(changed);
    }

    @Test
    void theGoldenFileOfVersion1IsReadAndWritten() {
        assertThat(HexFormat.of().formatHex(BlocksetCodec.encode(Exports.golden())))
                .isEqualTo(HexFormat.of().formatHex(golden()));
        assertThat(BlocksetCodec.decode(golden())).isEqualTo(Exports.golden());
        assertThat(BlocksetCodec.digest(golden()))
                .isEqualTo("fa7661fa0e5ba0c8c7cccb465430f6fb18540604da9c4f5f1cb9722849306a57");
    }

    @Test
    void whatIsWrittenIsReadAsItWas() {
        Random random = RandomCase.random("whatIsWrittenIsReadAsItWas");
        for (int i = 0; i < RandomCase.cases(2000); i++) {
            Blockset blockset = RandomBlockset.any(random);
            byte[] document = BlocksetCodec.encode(blockset);
            Blockset read = BlocksetCodec.decode(document);
            assertThat(read).isEqualTo(blockset).hasSameHashCodeAs(blockset);
            assertThat(BlocksetCodec.encode(read)).isEqualTo(document);
        }
    }

    @Test
    void theLargestBlocksetHasRoom() {
        List<ExportedLevel> levels = IntStream.range(0, 8)
                .mapToObj(set -> Exports.level(set, Exports.config(1, 512, 1, DType.U8), LayoutType.LAYER_SEPARATE,
                        Exports.SYSTEM, (long) set << 40,
                        new SharedMemoryAddress(1, 0, 1, 0, IntStream.rangeClosed(1, 512).boxed().toList())))
                .toList();
        Blockset blockset = new Blockset(1, 1, Exports.fingerprint(), levels, new byte[Blockset.MAX_AGENT_METADATA]);
        byte[] document = BlocksetCodec.encode(blockset);
        assertThat(document).hasSizeLessThan(BlocksetCodec.MAX_BYTES);
        assertThat(BlocksetCodec.decode(document)).isEqualTo(blockset);
    }

    @Test
    void theNumbersOfConstantsNeverChange() {
        Map<CacheLevel, Integer> levels = Map.of(CacheLevel.G1, 1, CacheLevel.G2, 2, CacheLevel.G3, 3, CacheLevel.G4,
                4);
        for (CacheLevel level : CacheLevel.values()) {
            ExportedLevel from = Exports.level(1);
            byte[] document = BlocksetCodec.encode(Exports.of(new ExportedLevel(1, level, from.layoutType(),
                    from.layout(), from.memory(), null)));
            assertThat((int) document[SECOND + 4]).as("%s", level).isEqualTo(levels.get(level));
        }
        Map<LayoutType, Integer> layouts = Map.of(LayoutType.FULLY_CONTIGUOUS, 1, LayoutType.LAYER_SEPARATE, 2,
                LayoutType.LAYER_SEPARATE_OUTER_FIRST, 3);
        for (LayoutType type : LayoutType.values()) {
            byte[] document = document(type, DType.FP16, Exports.SYSTEM);
            assertThat((int) document[SECOND + 5]).as("%s", type).isEqualTo(layouts.get(type));
        }
        List<String> dtypes = List.of("FP8", "FP8_E4M3", "FP8_E4M3FNUZ", "FP8_E5M2", "FP8_E5M2FNUZ", "FP16", "BF16",
                "FP32", "U8", "U16", "U32", "U64", "I8", "I16", "I32", "I64");
        for (DType dtype : DType.values()) {
            byte[] document = document(LayoutType.FULLY_CONTIGUOUS, dtype, Exports.SYSTEM);
            assertThat((int) document[SECOND + 6]).as("%s", dtype).isEqualTo(dtypes.indexOf(dtype.name()) + 1);
        }
        List<StorageType> storages = List.of(Exports.SYSTEM, new StorageType.Pinned(), new StorageType.Device(3),
                new StorageType.Nixl(), new StorageType.Null());
        for (StorageType storage : storages) {
            byte[] document = document(LayoutType.FULLY_CONTIGUOUS, DType.I64, storage);
            assertThat((int) document[SECOND + 7]).as("%s", storage).isEqualTo(storages.indexOf(storage) + 1);
        }
    }

    private static byte[] document(LayoutType type, DType dtype, StorageType storage) {
        return BlocksetCodec
                .encode(Exports.of(Exports.level(1, Exports.config(2, 3, 1, dtype), type, storage, 1 << 30, null)));
    }

    @Test
    void anUnknownConstantIsRefused() {
        byte[] document = BlocksetCodec.encode(Exports.of(Exports.level(1)));
        for (int at = SECOND + 4; at < SECOND + 8; at++) {
            for (int number : new int[]{0, 17, 255}) {
                byte[] changed = document.clone();
                changed[at] = (byte) number;
                refused(Kind.MALFORMED, "known are 1 to", Hostile.sealed(changed));
            }
        }
        refused(Kind.MALFORMED, "device 1 for memory that is on none", withInt(document, SECOND + 8, 1));
    }

    @Test
    void theFormatOfALaterVersionIsReadUnlessItSaysOtherwise() {
        assertThat(BlocksetCodec.decode(withShort(golden(), 8, 9))).isEqualTo(Exports.golden());
        refused(Kind.UNSUPPORTED_VERSION, "needs a reader of version 2", withShort(golden(), 10, 2));
        refused(Kind.MALFORMED, "version 1 for readers from 0", withShort(golden(), 10, 0));
        refused(Kind.MALFORMED, "version 0 for readers from 1", withShort(golden(), 8, 0));
    }

    @Test
    void anUnknownSectionIsSkippedUnlessItIsRequired() {
        assertThat(BlocksetCodec.decode(with(golden(), section(0x0006, new byte[100]), section(0x7fff))))
                .isEqualTo(Exports.golden());
        refused(Kind.UNSUPPORTED_VERSION, "section 8006", with(golden(), section(0x8006, (byte) 1)));
        // the same numbers under the other flag are other sections
        refused(Kind.UNSUPPORTED_VERSION, "section 8003", with(golden(), section(0x8003)));
        assertThat(BlocksetCodec.decode(with(golden(), section(0x0001)))).isEqualTo(Exports.golden());
    }

    @Test
    void sectionsStandInAnyOrder() {
        byte[] document = golden();
        byte[][] sections = IntStream.of(5, 3, 0, 2, 1, 4).mapToObj(i -> sectionOf(document, i)).toArray(byte[][]::new);
        Blockset read = BlocksetCodec.decode(document(sections));
        assertThat(read).isEqualTo(Exports.golden());
    }

    @Test
    void whatIsSaidOnceIsNotSaidTwice() {
        byte[] document = golden();
        refused(Kind.MALFORMED, "section 8001 twice", with(document, sectionOf(document, 0)));
        refused(Kind.MALFORMED, "section 0003 twice", with(document, sectionOf(document, 1)));
        refused(Kind.MALFORMED, "Block set 1 is exported twice", with(document, sectionOf(document, 2)));
        refused(Kind.MALFORMED, "shares block set 1 twice", with(document, sectionOf(document, 3)));
        refused(Kind.MALFORMED, "section 0005 twice", with(document, sectionOf(document, 5)));
    }

    @Test
    void aWorkerThatIsNotNamedIsRefused() {
        refused(Kind.MALFORMED, "section 8001 is missing", document());
        assertThat(BlocksetCodec.decode(document(sectionOf(golden(), 0))).levels()).isEmpty();
    }

    @Test
    void sharedMemoryOfABlockSetThatIsNotExportedIsRefused() {
        refused(Kind.MALFORMED, "does not export: [1]", document(sectionOf(golden(), 0), sectionOf(golden(), 3)));
    }

    @Test
    void aSectionHasExactlyItsLength() {
        byte[] document = golden();
        byte[] worker = sectionOf(document, 0);
        refused(Kind.MALFORMED, "has 1 bytes too many",
                document(section(0x8001, Arrays.copyOfRange(worker, 6, 23))));
        refused(Kind.MALFORMED, "ends after 7 bytes, where 8 are expected",
                document(section(0x8001, Arrays.copyOfRange(worker, 6, 21))));
        refused(Kind.MALFORMED, "section 8001 ends", document(section(0x8001)));
        refused(Kind.MALFORMED, "The blockset ends after 5 bytes, where 6 are expected",
                withInt(document(section(1, new byte[5])), WORKER + 2, 6));
        refused(Kind.MALFORMED, "has the number 4294967295",
                withInt(document(section(1, new byte[5])), WORKER + 2, -1));
    }

    @Test
    void aNumberOfMemoriesThatTheBytesDoNotHoldIsRefusedBeforeAnythingIsAllocated() {
        byte[] document = BlocksetCodec.encode(Exports.of(Exports.level(1)));
        int count = SECOND + 8 + 7 * 4;
        assertThat(ByteBuffer.wrap(document).getInt(count)).isEqualTo(1);
        refused(Kind.MALFORMED, "2 memories of 24 bytes each in 24 bytes", withInt(document, count, 2));
        refused(Kind.MALFORMED, "0 memories of 24 bytes each in 24 bytes", withInt(document, count, 0));
        refused(Kind.LIMIT, "is 4097, over the limit of 4096", withInt(document, count, 4097));
        refused(Kind.LIMIT, "is 2147483647, over the limit", withInt(document, count, Integer.MAX_VALUE));
        refused(Kind.MALFORMED, "has the number 2147483648", withInt(document, count, Integer.MIN_VALUE));
    }

    @Test
    void tooMuchOfAnythingIsRefused() {
        byte[] worker = sectionOf(golden(), 0);
        byte[] level = sectionOf(golden(), 2);
        byte[] shared = sectionOf(golden(), 3);
        byte[][] levels = Collections.nCopies(9, level).toArray(byte[][]::new);
        refused(Kind.LIMIT, "block sets is 9", with(document(worker), levels));
        byte[][] addresses = IntStream.range(0, 9)
                .mapToObj(i -> ByteBuffer.wrap(shared.clone()).putInt(6, i).array())
                .toArray(byte[][]::new);
        refused(Kind.LIMIT, "shared block sets is 9", with(document(worker), addresses));
        refused(Kind.LIMIT, "metadata in bytes is 262145",
                document(worker, section(0x0005, new byte[Blockset.MAX_AGENT_METADATA + 1])));
        refused(Kind.LIMIT, "is 1048577, over the limit of 1048576", new byte[BlocksetCodec.MAX_BYTES + 1]);
        byte[] filler = section(0x0006, new byte[BlocksetCodec.MAX_BYTES - 16 - 22 - 6 - DIGEST]);
        assertThat(document(worker, filler)).hasSize(BlocksetCodec.MAX_BYTES);
        assertThat(BlocksetCodec.decode(document(worker, filler)).workerId()).isEqualTo(-1);
    }

    @Test
    void numbersThatContradictEachOtherAreRefused() {
        byte[] document = BlocksetCodec.encode(Exports.of(Exports.level(1)));
        int blocks = SECOND + 12;
        refused(Kind.MALFORMED, "needs 6528 bytes", withInt(document, blocks, 17));
        refused(Kind.MALFORMED, "numBlocks is 0", withInt(document, blocks, 0));
        refused(Kind.MALFORMED, "over 2^63 bytes", () -> {
            byte[] huge = document.clone();
            for (int i = 0; i < 5; i++) {
                ByteBuffer.wrap(huge).putInt(blocks + 4 * i, Integer.MAX_VALUE);
            }
            BlocksetCodec.decode(Hostile.sealed(huge));
        });
        refused(Kind.MALFORMED, "base offset", withInt(document, document.length - DIGEST - 4, 1));
    }

    @Test
    void everyFlippedBitIsNoticed() {
        byte[] document = golden();
        for (int bit = 0; bit < document.length * 8; bit++) {
            byte[] flipped = document.clone();
            flipped[bit / 8] ^= (byte) (1 << bit % 8);
            assertThat(Hostile.decode(flipped)).as("bit %s", bit).isFalse();
        }
    }

    @Test
    void everyTruncationAndEveryAdditionIsNoticed() {
        byte[] document = golden();
        for (int length = 0; length < document.length; length++) {
            assertThat(Hostile.decode(Arrays.copyOf(document, length))).as("length %s", length).isFalse();
        }
        assertThat(Hostile.decode(Arrays.copyOf(document, document.length + 1))).isFalse();
        refused(Kind.MALFORMED, "was written with " + document.length, Arrays.copyOf(document, document.length + 1));
    }

    private static byte[] flippedDigest() {
        byte[] document = golden();
        document[document.length - 1] ^= 1;
        return document;
    }

    @Test
    void whatIsNoBlocksetIsRefused() {
        refused(Kind.MALFORMED, "do not start like a blockset", new byte[0]);
        refused(Kind.MALFORMED, "do not start like a blockset", new byte[1000]);
        refused(Kind.MALFORMED, "do not start like a blockset", () -> BlocksetCodec.digest(new byte[47]));
        refused(Kind.MALFORMED, "does not have the digest", () -> BlocksetCodec.digest(flippedDigest()));
    }

    @Test
    void hostileBytesAreRefusedWhateverTheyAre() {
        Random random = RandomCase.random("hostileBytesAreRefusedWhateverTheyAre");
        int read = 0;
        byte[] other = golden();
        for (int i = 0; i < RandomCase.cases(400); i++) {
            byte[] document = BlocksetCodec.encode(RandomBlockset.any(random));
            for (int j = 0; j < 50; j++) {
                byte[] mutated = Hostile.mutated(document, other, random);
                Hostile.decode(mutated);
                byte[] sealed = Hostile.sealed(mutated);
                read += Hostile.decode(sealed) ? 1 : 0;
                Hostile.requireFrugal(sealed, BlocksetCodec::decode, 16);
            }
            other = document;
        }
        System.out.println("hostileBytesAreRefusedWhateverTheyAre: " + read + " changes were read as another blockset");
        assertThat(read).isPositive();
    }
}
