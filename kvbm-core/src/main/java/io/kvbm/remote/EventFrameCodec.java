package io.kvbm.remote;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalLong;
import java.util.zip.CRC32C;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.storage.CacheLevel;

/**
 * The bytes of an {@link EventFrame}, as workers hand it to each other. All numbers are unsigned and big endian.
 *
 * <pre>
 *   document   "kvbm-evt", u16 version, u16 least version of a reader, u32 length of the document in bytes,
 *              section..., u32 CRC32C of all bytes before
 *   section    u16 tag, u32 length of what follows in bytes, the bytes
 *
 *   8001 page          u64 worker, u64 epoch, u64 number of the first event; once
 *   8002 events        u32 events, for each: u8 kind, u8 level, and of
 *                        1 stored   u32 block size, u32 blocks, for each: u8 flags, u64 sequence hash, u64 tokens hash,
 *                                   u64 parent's hash (flag 1), u32 position (flag 2), u64 identity, u32 slot,
 *                                   u64 generation
 *                        2 removed  u32 blocks, for each: u64 sequence hash, u32 slot
 *                        3 cleared  nothing
 *   8003 part          u64 first slot, u64 slot behind, u8 1 for the last part
 *   8004 held          u8 level, u32 blocks, for each: u32 slot, u64 generation, u64 identity; behind a part, once
 *                      for each level
 * </pre>
 *
 * A document has either events or a part. A tag of which the highest bit is set names something without which the
 * document is not understood: a reader that does not know it refuses the document. It skips every other tag that it does
 * not know. A section never grows: what is new comes under a tag of its own.
 */
public final class EventFrameCodec {

    /** The length of a document in bytes at most; a frame within its limits is never longer. */
    public static final int MAX_BYTES = 4 << 20;

    private static final byte[] MAGIC = "kvbm-evt".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 1;
    private static final int HEADER_BYTES = MAGIC.length + 2 * Short.BYTES + Integer.BYTES;
    private static final int CHECKSUM_BYTES = Integer.BYTES;

    private static final int REQUIRED = 0x8000;
    private static final int PAGE = 0x8001;
    private static final int EVENTS = 0x8002;
    private static final int PART = 0x8003;
    private static final int HELD = 0x8004;

    private static final int STORED = 1;
    private static final int REMOVED = 2;
    private static final int CLEARED = 3;

    private static final int PARENT = 1;
    private static final int POSITION = 2;

    private static final int LEAST_EVENT_BYTES = 2;
    private static final int LEAST_STORED_BYTES = 1 + 4 * Long.BYTES + Integer.BYTES;
    private static final int REMOVED_BYTES = Long.BYTES + Integer.BYTES;
    private static final int HELD_BYTES = Integer.BYTES + 2 * Long.BYTES;

    // the number of each on the wire is its place here, from 1; new ones come at the end
    private static final List<CacheLevel> LEVELS = List.of(CacheLevel.G1, CacheLevel.G2, CacheLevel.G3, CacheLevel.G4);

    private @Nullable Page page;
    private @Nullable List<KvEvent> events;
    private @Nullable Part part;
    private final List<HeldBlocks> held = new ArrayList<>();

    private record Page(long workerId, long epoch, long sequence) {}

    private record Part(long from, long to, boolean last) {}

    private EventFrameCodec() {}

    // ---------------------------------------------------------------------------------------------- write

    /** The document. Equal frames give equal bytes. */
    public static byte[] encode(EventFrame frame) {
        WireWriter out = new WireWriter();
        out.bytes(MAGIC);
        out.u16(VERSION);
        out.u16(VERSION);
        int length = out.laterCount();
        section(out, PAGE, () -> {
            out.u64(frame.workerId());
            out.u64(frame.epoch());
            out.u64(frame.sequence());
        });
        switch (frame) {
            case EventFrame.Events told -> section(out, EVENTS, () -> writeEvents(out, told.events()));
            case EventFrame.Held part -> {
                section(out, PART, () -> {
                    out.u64(part.from());
                    out.u64(part.to());
                    out.u8(part.last() ? 1 : 0);
                });
                part.levels().forEach(level -> section(out, HELD, () -> writeHeld(out, level)));
            }
        }
        out.setCount(length, out.length() + CHECKSUM_BYTES);
        byte[] body = out.toBytes();
        out.count(checksum(body, body.length));
        return out.toBytes();
    }

    private static void section(WireWriter out, int tag, Runnable content) {
        out.u16(tag);
        int length = out.laterCount();
        content.run();
        out.setCount(length, out.length() - length - Integer.BYTES);
    }

    private static void writeEvents(WireWriter out, List<KvEvent> events) {
        out.count(events.size());
        for (KvEvent event : events) {
            switch (event) {
                case KvEvent.Stored stored -> {
                    out.u8(STORED);
                    out.u8(number(stored.level()));
                    out.count(stored.blockSize());
                    out.count(stored.size());
                    stored.blocks().forEach(block -> writeStored(out, block));
                }
                case KvEvent.Removed removed -> {
                    out.u8(REMOVED);
                    out.u8(number(removed.level()));
                    out.count(removed.size());
                    for (RemovedBlock block : removed.blocks()) {
                        out.u64(block.sequenceHash());
                        out.count(block.slot());
                    }
                }
                case KvEvent.Cleared cleared -> {
                    out.u8(CLEARED);
                    out.u8(number(cleared.level()));
                }
            }
        }
    }

    private static void writeStored(WireWriter out, StoredBlock block) {
        boolean placed = block.position() != StoredBlock.UNKNOWN_POSITION;
        out.u8((block.parentHash().isPresent() ? PARENT : 0) | (placed ? POSITION : 0));
        out.u64(block.sequenceHash());
        out.u64(block.tokensHash());
        block.parentHash().ifPresent(out::u64);
        if (placed) {
            out.count(block.position());
        }
        out.u64(block.identity());
        out.count(block.slot());
        out.u64(block.generation());
    }

    private static void writeHeld(WireWriter out, HeldBlocks blocks) {
        out.u8(number(blocks.level()));
        out.count(blocks.size());
        for (int i = 0; i < blocks.size(); i++) {
            out.count(blocks.slot(i));
            out.u64(blocks.generation(i));
            out.u64(blocks.identity(i));
        }
    }

    private static int number(CacheLevel level) {
        return LEVELS.indexOf(level) + 1;
    }

    // ---------------------------------------------------------------------------------------------- read

    /**
     * Reads a document.
     *
     * @throws RemoteException {@code MALFORMED}, {@code UNSUPPORTED_VERSION} or {@code LIMIT}, whatever the bytes are
     */
    public static EventFrame decode(byte[] document) {
        WireReader body = open(document);
        EventFrameCodec fields = new EventFrameCodec();
        while (body.remaining() > 0) {
            int tag = body.u16();
            fields.read(tag, body.part(body.count(), name(tag)));
        }
        return fields.toFrame();
    }

    /** The sections of a document that is whole. */
    private static WireReader open(byte[] document) {
        if (document.length > MAX_BYTES) {
            throw Refusal.tooMuch("The length of the page of events in bytes", document.length, MAX_BYTES);
        }
        int bodyBytes = document.length - HEADER_BYTES - CHECKSUM_BYTES;
        if (bodyBytes < 0 || !Arrays.equals(document, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw Refusal.malformed(
                    document.length + " bytes that do not start like a page of events; check what was fetched");
        }
        WireReader header = new WireReader(document, MAGIC.length, HEADER_BYTES - MAGIC.length, "The header");
        int version = header.u16();
        int least = header.u16();
        if (least > VERSION) {
            throw new RemoteException(RemoteException.Kind.UNSUPPORTED_VERSION, "The page of events of version "
                    + version + " needs a reader of version " + least + ", and this is version " + VERSION
                    + "; bring both workers to one version of kvbm");
        }
        if (least < 1 || version < least) {
            throw Refusal
                    .malformed("The page of events is of version " + version + " for readers from " + least + " on");
        }
        int length = header.count();
        if (length != document.length) {
            throw Refusal.malformed("The page of events has " + document.length + " bytes, but was written with "
                    + length + "; fetch it again");
        }
        WireReader end = new WireReader(document, document.length - CHECKSUM_BYTES, CHECKSUM_BYTES, "The checksum");
        int stated = (end.u16() << Short.SIZE) | end.u16();
        if (stated != checksum(document, document.length - CHECKSUM_BYTES)) {
            throw Refusal.malformed(
                    "The page of events of " + length + " bytes does not have the checksum it states; fetch it again");
        }
        return new WireReader(document, HEADER_BYTES, bodyBytes, "The page of events");
    }

    private static int checksum(byte[] bytes, int length) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes, 0, length);
        return (int) checksum.getValue();
    }

    private void read(int tag, WireReader section) {
        switch (tag) {
            case PAGE -> page = once(tag, page, new Page(section.u64(), section.u64(), section.u64()));
            case EVENTS -> events = once(tag, events, events(section));
            case PART -> part = once(tag, part, new Part(section.u64(), section.u64(), last(section.u8())));
            case HELD -> addHeld(section);
            default -> {
                if ((tag & REQUIRED) != 0) {
                    throw new RemoteException(RemoteException.Kind.UNSUPPORTED_VERSION, "The page of events has a "
                            + name(tag) + " that is needed to understand it, and version " + VERSION
                            + " does not know it; bring both workers to one version of kvbm");
                }
                return;
            }
        }
        section.end();
    }

    private static String name(int tag) {
        return "section " + HexFormat.of().toHexDigits((short) tag);
    }

    private static <T> T once(int tag, @Nullable T before, T value) {
        if (before != null) {
            throw Refusal.malformed("The page of events has the " + name(tag) + " twice");
        }
        return value;
    }

    private static boolean last(int flag) {
        if (flag > 1) {
            throw Refusal
                    .malformed("A part of what is held is " + flag + ", where 1 stands for the last and 0 for others");
        }
        return flag == 1;
    }

    private static List<KvEvent> events(WireReader in) {
        int count = count(in, "events", EventFrame.MAX_EVENTS, LEAST_EVENT_BYTES);
        List<KvEvent> events = new ArrayList<>(count);
        int blocks = 0;
        for (int i = 0; i < count; i++) {
            int room = EventFrame.MAX_EVENT_BLOCKS - blocks;
            int kind = in.u8();
            CacheLevel level = level(in.u8());
            KvEvent event = switch (kind) {
                case STORED -> stored(in, level, room);
                case REMOVED -> removed(in, level, room);
                case CLEARED -> new KvEvent.Cleared(level);
                default -> throw Refusal.malformed("An event is of kind " + kind + "; known are 1 to " + CLEARED);
            };
            blocks += event.size();
            events.add(event);
        }
        return events;
    }

    private static KvEvent stored(WireReader in, CacheLevel level, int room) {
        int blockSize = in.count();
        int count = count(in, "blocks of events", room, LEAST_STORED_BYTES);
        List<StoredBlock> blocks = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int flags = in.u8();
            if (flags > (PARENT | POSITION)) {
                throw Refusal.malformed("A stored block has the flags " + flags + ", of which some are not known");
            }
            long sequenceHash = in.u64();
            long tokensHash = in.u64();
            OptionalLong parent = (flags & PARENT) == 0 ? OptionalLong.empty() : OptionalLong.of(in.u64());
            int position = (flags & POSITION) == 0 ? StoredBlock.UNKNOWN_POSITION : in.count();
            blocks.add(new StoredBlock(sequenceHash, tokensHash, parent, position, in.u64(), in.count(), in.u64()));
        }
        return new KvEvent.Stored(level, blockSize, blocks);
    }

    private static KvEvent removed(WireReader in, CacheLevel level, int room) {
        int count = count(in, "blocks of events", room, REMOVED_BYTES);
        List<RemovedBlock> blocks = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            blocks.add(new RemovedBlock(in.u64(), in.count()));
        }
        return new KvEvent.Removed(level, blocks);
    }

    private void addHeld(WireReader in) {
        if (held.size() == LEVELS.size()) {
            throw Refusal.tooMuch("The number of levels of a part", held.size() + 1L, LEVELS.size());
        }
        CacheLevel level = level(in.u8());
        int count = count(in, "blocks of a part", EventFrame.MAX_PART_SLOTS, HELD_BYTES);
        HeldBlocks.Builder blocks = new HeldBlocks.Builder(level, count);
        for (int i = 0; i < count; i++) {
            blocks.onRegistered(in.count(), in.u64(), in.u64());
        }
        held.add(blocks.build());
    }

    /** How many of something follow; refused where there cannot be so many, before room is made for them. */
    private static int count(WireReader in, String what, int limit, int leastBytes) {
        int count = in.count();
        if (count > limit) {
            throw Refusal.tooMuch("The number of " + what, count, limit);
        }
        if (in.remaining() < (long) count * leastBytes) {
            throw Refusal.malformed("A page of events names " + count + " " + what + " in " + in.remaining()
                    + " bytes, where each takes " + leastBytes + " or more");
        }
        return count;
    }

    private static CacheLevel level(int number) {
        if (number < 1 || number > LEVELS.size()) {
            throw Refusal.malformed("A page of events has the level " + number + "; known are 1 to " + LEVELS.size());
        }
        return LEVELS.get(number - 1);
    }

    private EventFrame toFrame() {
        Page known = page;
        if (known == null) {
            throw Refusal.malformed("The page of events does not say whose it is: " + name(PAGE) + " is missing");
        }
        List<KvEvent> told = events;
        Part stretch = part;
        if (told != null && stretch == null && held.isEmpty()) {
            return new EventFrame.Events(known.workerId(), known.epoch(), known.sequence(), told);
        }
        if (told == null && stretch != null) {
            return new EventFrame.Held(known.workerId(), known.epoch(), known.sequence(), stretch.from(), stretch.to(),
                    stretch.last(), held);
        }
        throw Refusal.malformed("The page of events has to have either " + name(EVENTS) + " or " + name(PART));
    }
}
