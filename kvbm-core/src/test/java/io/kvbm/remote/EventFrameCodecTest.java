package io.kvbm.remote;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.stream.IntStream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.storage.CacheLevel;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class EventFrameCodecTest {

    private static final int CHECKSUM = 4;
    /** Where the first section starts, which names the page in 24 bytes. */
    private static final int PAGE = 16;
    /** Where the content of the section behind it starts. */
    private static final int SECOND = PAGE + 6 + 24 + 6;

    private static void refused(Kind kind, String why, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    private static void refused(Kind kind, String why, byte[] document) {
        refused(kind, why, () -> EventFrameCodec.decode(document));
    }

    private static byte[] golden(String form) {
        try (InputStream file = EventFrameCodecTest.class.getResourceAsStream("events-" + form + "-v1.hex")) {
            return HexFormat.of()
                    .parseHex(new String(file.readAllBytes(), StandardCharsets.US_ASCII).replaceAll("\\s", ""));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] events() {
        return EventFrameCodec.encode(Frames.goldenEvents());
    }

    private static byte[] held() {
        return EventFrameCodec.encode(Frames.goldenHeld());
    }

    private static byte[] section(int tag, byte... content) {
        return ByteBuffer.allocate(6 + content.length)
                .putShort((short) tag)
                .putInt(content.length)
                .put(content)
                .array();
    }

    private static byte[] sectionOf(byte[] document, int index) {
        int at = PAGE;
        for (int i = 0; i < index; i++) {
            at += 6 + ByteBuffer.wrap(document).getInt(at + 2);
        }
        return Arrays.copyOfRange(document, at, at + 6 + ByteBuffer.wrap(document).getInt(at + 2));
    }

    private static byte[] document(byte[]... sections) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(events(), 0, PAGE);
        for (byte[] section : sections) {
            out.write(section, 0, section.length);
        }
        out.write(new byte[CHECKSUM], 0, CHECKSUM);
        return Frames.sealed(out.toByteArray());
    }

    private static byte[] withInt(byte[] document, int at, int value) {
        byte[] changed = document.clone();
        ByteBuffer.wrap(changed).putInt(at, value);
        return Frames.sealed(changed);
    }

    private static byte[] withShort(byte[] document, int at, int value) {
        byte[] changed = document.clone();
        ByteBuffer.wrap(changed).putShort(at, (short) value);
        return Frames.sealed(changed);
    }

    private static byte[] withByte(byte[] document, int at, int value) {
        byte[] changed = document.clone();
        changed[at] = (byte) value;
        return Frames.sealed(changed);
    }

    @Test
    void theGoldenPagesOfVersion1AreReadAndWritten() {
        assertThat(HexFormat.of().formatHex(events())).isEqualTo(HexFormat.of().formatHex(golden("told")));
        assertThat(HexFormat.of().formatHex(held())).isEqualTo(HexFormat.of().formatHex(golden("held")));
        assertThat(EventFrameCodec.decode(golden("told"))).isEqualTo(Frames.goldenEvents());
        assertThat(EventFrameCodec.decode(golden("held"))).isEqualTo(Frames.goldenHeld());
    }

    @Test
    void whatIsWrittenIsReadAsItWas() {
        Random random = RandomCase.random("EventFrame whatIsWrittenIsReadAsItWas");
        for (int i = 0; i < RandomCase.cases(2000); i++) {
            EventFrame frame = Frames.any(random);
            byte[] document = EventFrameCodec.encode(frame);
            EventFrame read = EventFrameCodec.decode(document);
            assertThat(read).isEqualTo(frame).hasSameHashCodeAs(frame);
            assertThat(EventFrameCodec.encode(read)).isEqualTo(document);
        }
    }

    @Test
    void theLargestPagesHaveRoom() {
        StoredBlock block = new StoredBlock(1, 2, OptionalLong.of(3), 4, 5, 6, 7);
        List<KvEvent> stored = Collections.nCopies(EventFrame.MAX_EVENTS, new KvEvent.Stored(CacheLevel.G2, 16,
                Collections.nCopies(EventFrame.MAX_EVENT_BLOCKS / EventFrame.MAX_EVENTS, block)));
        byte[] told = EventFrameCodec.encode(new EventFrame.Events(1, 1, 0, stored));
        assertThat(told).hasSizeLessThan(EventFrameCodec.MAX_BYTES);
        assertThat(((EventFrame.Events) EventFrameCodec.decode(told)).events()).isEqualTo(stored);

        HeldBlocks.Builder all = new HeldBlocks.Builder(CacheLevel.G2, 0);
        IntStream.range(0, EventFrame.MAX_PART_SLOTS).forEach(slot -> all.onRegistered(slot, slot, -slot));
        EventFrame.Held part = new EventFrame.Held(1, 1, 0, 0, EventFrame.MAX_PART_SLOTS, true, List.of(all.build()));
        byte[] held = EventFrameCodec.encode(part);
        assertThat(held).hasSizeLessThan(EventFrameCodec.MAX_BYTES);
        assertThat(EventFrameCodec.decode(held)).isEqualTo(part);
    }

    @Test
    void theNumbersOfLevelsNeverChange() {
        Map<CacheLevel, Integer> levels = Map.of(CacheLevel.G1, 1, CacheLevel.G2, 2, CacheLevel.G3, 3, CacheLevel.G4,
                4);
        for (CacheLevel level : CacheLevel.values()) {
            byte[] document = EventFrameCodec
                    .encode(new EventFrame.Events(1, 1, 0, List.of(new KvEvent.Cleared(level))));
            assertThat((int) document[SECOND + 5]).as("%s", level).isEqualTo(levels.get(level));
        }
    }

    @Test
    void aFrameThatIsOverItsLimitsIsNotEvenMade() {
        List<KvEvent> many = Collections.nCopies(EventFrame.MAX_EVENTS + 1, new KvEvent.Cleared(CacheLevel.G1));
        refused(Kind.LIMIT, "is 16385, over the limit of 16384", () -> new EventFrame.Events(1, 1, 0, many));
        KvEvent wide = new KvEvent.Removed(CacheLevel.G1,
                Collections.nCopies(EventFrame.MAX_EVENT_BLOCKS + 1, new RemovedBlock(1, 1)));
        refused(Kind.LIMIT, "is 65537, over the limit of 65536", () -> new EventFrame.Events(1, 1, 0, List.of(wide)));
        refused(Kind.LIMIT, "is 131073, over the limit of 131072",
                () -> new EventFrame.Held(1, 1, 0, 7, 8 + EventFrame.MAX_PART_SLOTS, true, List.of()));
    }

    @Test
    void aFrameThatMakesNoSenseIsRefused() {
        refused(Kind.MALFORMED, "number -1", () -> new EventFrame.Events(1, 1, -1, List.of()));
        refused(Kind.MALFORMED, "number 9223372036854775807",
                () -> new EventFrame.Events(1, 1, Long.MAX_VALUE, List.of()));
        refused(Kind.MALFORMED, "blocks of 0 tokens", () -> new EventFrame.Events(1, 1, 0,
                List.of(new KvEvent.Stored(CacheLevel.G1, 0, List.of()))));
        for (StoredBlock block : List.of(new StoredBlock(1, 1, OptionalLong.empty(), 0, 1, -1, 0),
                new StoredBlock(1, 1, OptionalLong.empty(), -2, 1, 1, 0),
                new StoredBlock(1, 1, OptionalLong.empty(), 0, 1, 1, -1))) {
            refused(Kind.MALFORMED, "An event names slot", () -> new EventFrame.Events(1, 1, 0,
                    List.of(new KvEvent.Stored(CacheLevel.G1, 1, List.of(block)))));
        }
        refused(Kind.MALFORMED, "An event names slot -1", () -> new EventFrame.Events(1, 1, 0,
                List.of(new KvEvent.Removed(CacheLevel.G1, List.of(new RemovedBlock(1, -1))))));
        refused(Kind.MALFORMED, "as of event -1", () -> new EventFrame.Held(1, 1, -1, 0, 1, true, List.of()));
        refused(Kind.MALFORMED, "slots -1 to 1", () -> new EventFrame.Held(1, 1, 0, -1, 1, true, List.of()));
        refused(Kind.MALFORMED, "slots 2 to 1", () -> new EventFrame.Held(1, 1, 0, 2, 1, true, List.of()));
        refused(Kind.MALFORMED, "slots 1 to 1", () -> new EventFrame.Held(1, 1, 0, 1, 1, false, List.of()));
        HeldBlocks.Builder one = new HeldBlocks.Builder(CacheLevel.G1, 1);
        one.onRegistered(1, 0, 1);
        refused(Kind.MALFORMED, "1 blocks in 0 slots",
                () -> new EventFrame.Held(1, 1, 0, 1, 1, true, List.of(one.build())));
        refused(Kind.MALFORMED, "G1 twice",
                () -> new EventFrame.Held(1, 1, 0, 1, 9, true, List.of(one.build(), one.build())));
        refused(Kind.MALFORMED, "ascending", () -> one.onRegistered(1, 0, 1));
        refused(Kind.MALFORMED, "generation -1", () -> one.onRegistered(2, -1, 1));
    }

    @Test
    void theFormatOfALaterVersionIsReadUnlessItSaysOtherwise() {
        assertThat(EventFrameCodec.decode(withShort(events(), 8, 9))).isEqualTo(Frames.goldenEvents());
        refused(Kind.UNSUPPORTED_VERSION, "needs a reader of version 2", withShort(events(), 10, 2));
        refused(Kind.MALFORMED, "version 1 for readers from 0", withShort(events(), 10, 0));
        refused(Kind.MALFORMED, "version 0 for readers from 1", withShort(events(), 8, 0));
    }

    @Test
    void anUnknownSectionIsSkippedUnlessItIsRequired() {
        byte[] page = sectionOf(events(), 0);
        byte[] told = sectionOf(events(), 1);
        assertThat(EventFrameCodec.decode(document(section(0x0001, new byte[99]), told, page, section(0x7fff))))
                .isEqualTo(Frames.goldenEvents());
        refused(Kind.UNSUPPORTED_VERSION, "section 8005", document(page, told, section(0x8005)));
    }

    @Test
    void aPageSaysWhoseItIsAndTellsOrLists() {
        byte[] page = sectionOf(events(), 0);
        byte[] told = sectionOf(events(), 1);
        byte[] part = sectionOf(held(), 1);
        byte[] level = sectionOf(held(), 2);
        refused(Kind.MALFORMED, "section 8001 is missing", document(told));
        refused(Kind.MALFORMED, "section 8001 twice", document(page, page));
        refused(Kind.MALFORMED, "section 8002 twice", document(page, told, told));
        refused(Kind.MALFORMED, "section 8003 twice", document(page, part, part));
        refused(Kind.MALFORMED, "either section 8002 or section 8003", document(page));
        refused(Kind.MALFORMED, "either", document(page, told, part));
        refused(Kind.MALFORMED, "either", document(page, told, level));
        refused(Kind.MALFORMED, "either", document(page, level));
        refused(Kind.MALFORMED, "G2 twice", document(page, part, level, level));
        refused(Kind.LIMIT, "levels of a part is 5", document(page, part, level, level, level, level, level));
    }

    @Test
    void aNumberThatIsNotKnownIsRefused() {
        refused(Kind.MALFORMED, "of kind 0", withByte(events(), SECOND + 4, 0));
        refused(Kind.MALFORMED, "of kind 4", withByte(events(), SECOND + 4, 4));
        refused(Kind.MALFORMED, "level 0", withByte(events(), SECOND + 5, 0));
        refused(Kind.MALFORMED, "level 5", withByte(events(), SECOND + 5, 5));
        refused(Kind.MALFORMED, "flags 6", withByte(events(), SECOND + 14, 6));
        refused(Kind.MALFORMED, "A part of what is held is 2", withByte(held(), SECOND + 16, 2));
    }

    @Test
    void aNumberOfThingsThatTheBytesDoNotHoldIsRefusedBeforeRoomIsMade() {
        refused(Kind.MALFORMED, "names 16384 events", withInt(events(), SECOND, 16384));
        refused(Kind.LIMIT, "events is 16385", withInt(events(), SECOND, 16385));
        refused(Kind.MALFORMED, "names 65536 blocks", withInt(events(), SECOND + 10, 65536));
        refused(Kind.LIMIT, "blocks of events is 65537", withInt(events(), SECOND + 10, 65537));
        int level = SECOND + 17 + 6;
        refused(Kind.MALFORMED, "names 131072 blocks of a part", withInt(held(), level + 1, 131072));
        refused(Kind.LIMIT, "blocks of a part is 131073", withInt(held(), level + 1, 131073));
        refused(Kind.MALFORMED, "has the number 4294967295", withInt(held(), level + 1, -1));
        refused(Kind.LIMIT, "over the limit of 4194304", new byte[EventFrameCodec.MAX_BYTES + 1]);
    }

    @Test
    void everyFlippedBitAndEveryTruncationIsNoticed() {
        for (byte[] document : List.of(events(), held())) {
            for (int bit = 0; bit < document.length * 8; bit++) {
                byte[] flipped = document.clone();
                flipped[bit / 8] ^= (byte) (1 << bit % 8);
                assertThat(Frames.decode(flipped)).as("bit %s", bit).isFalse();
            }
            for (int length = 0; length < document.length; length++) {
                assertThat(Frames.decode(Arrays.copyOf(document, length))).as("length %s", length).isFalse();
            }
            refused(Kind.MALFORMED, "was written with " + document.length,
                    Arrays.copyOf(document, document.length + 1));
        }
        refused(Kind.MALFORMED, "do not start like a page of events", new byte[1000]);
    }

    @Test
    void hostileBytesAreRefusedWhateverTheyAre() {
        Random random = RandomCase.random("EventFrame hostileBytesAreRefusedWhateverTheyAre");
        int read = 0;
        byte[] other = held();
        for (int i = 0; i < RandomCase.cases(2000); i++) {
            byte[] document = EventFrameCodec.encode(Frames.any(random));
            for (int j = 0; j < 50; j++) {
                byte[] mutated = Hostile.mutated(document, other, random);
                Frames.decode(mutated);
                byte[] sealed = Frames.sealed(mutated);
                read += Frames.decode(sealed) ? 1 : 0;
                Hostile.requireFrugal(sealed, EventFrameCodec::decode, 16);
            }
            other = document;
        }
        System.out.println("hostileBytesAreRefusedWhateverTheyAre: " + read + " changes were read as another page");
        assertThat(read).isPositive();
    }
}
