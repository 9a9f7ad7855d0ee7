package io.kvbm.remote;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.zip.CRC32C;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.storage.CacheLevel;

import static org.assertj.core.api.Assertions.assertThat;

/** Pages of events, such as workers send and such as nobody should. */
final class Frames {

    private static final Set<Kind> REFUSALS = EnumSet.of(Kind.MALFORMED, Kind.UNSUPPORTED_VERSION, Kind.LIMIT);

    private static final List<CacheLevel> LEVELS = List.of(CacheLevel.values());

    private Frames() {}

    static EventFrame.Events goldenEvents() {
        StoredBlock first = new StoredBlock(0x1111, 0x2222, OptionalLong.empty(), 0, -1, 5, 0);
        StoredBlock second = new StoredBlock(0x3333, 0x4444, OptionalLong.of(0x1111), StoredBlock.UNKNOWN_POSITION, 7,
                6, (1L << 37) - 1);
        return new EventFrame.Events(-2, 1_700_000_000_000L, 41,
                List.of(new KvEvent.Stored(CacheLevel.G2, 16, List.of(first, second)),
                        new KvEvent.Removed(CacheLevel.G1, List.of(new RemovedBlock(0x5555, 9))),
                        new KvEvent.Cleared(CacheLevel.G3)));
    }

    static EventFrame.Held goldenHeld() {
        HeldBlocks.Builder host = new HeldBlocks.Builder(CacheLevel.G2, 0);
        host.onRegistered(0, 0, 0);
        host.onRegistered(Integer.MAX_VALUE, Long.MAX_VALUE, -1);
        return new EventFrame.Held(3, -4, 1 << 20, 10, 74, true,
                List.of(host.build(), new HeldBlocks.Builder(CacheLevel.G4, 0).build()));
    }

    static EventFrame any(Random random) {
        long worker = random.nextLong();
        long epoch = random.nextLong();
        long sequence = random.nextLong() >>> (1 + random.nextInt(62));
        if (random.nextInt(3) > 0) {
            List<KvEvent> events = new ArrayList<>();
            for (int n = random.nextInt(20); n > 0; n--) {
                events.add(event(random));
            }
            return new EventFrame.Events(worker, epoch, sequence, events);
        }
        List<HeldBlocks> levels = new ArrayList<>();
        for (CacheLevel level : LEVELS) {
            if (random.nextBoolean()) {
                levels.add(held(level, random));
            }
        }
        long from = random.nextInt();
        return new EventFrame.Held(worker, epoch, sequence, from & 0xff_ffff, (from & 0xff_ffff) + 200,
                random.nextBoolean(), levels);
    }

    private static HeldBlocks held(CacheLevel level, Random random) {
        HeldBlocks.Builder blocks = new HeldBlocks.Builder(level, 4);
        int slot = random.nextInt(10_000);
        for (int n = random.nextInt(40); n > 0; n--) {
            blocks.onRegistered(slot, random.nextInt(100), random.nextLong());
            slot += 1 + random.nextInt(3);
        }
        return blocks.build();
    }

    private static KvEvent event(Random random) {
        CacheLevel level = LEVELS.get(random.nextInt(LEVELS.size()));
        int blocks = random.nextInt(6);
        return switch (random.nextInt(5)) {
            case 0, 1 -> new KvEvent.Stored(level, 1 + random.nextInt(64),
                    random.ints(blocks).mapToObj(_ -> stored(random)).toList());
            case 2, 3 -> new KvEvent.Removed(level, random.ints(blocks)
                    .mapToObj(_ -> new RemovedBlock(random.nextLong(), random.nextInt(1 << 28)))
                    .toList());
            default -> new KvEvent.Cleared(level);
        };
    }

    private static StoredBlock stored(Random random) {
        OptionalLong parent = random.nextBoolean() ? OptionalLong.of(random.nextLong()) : OptionalLong.empty();
        return new StoredBlock(random.nextLong(), random.nextLong(), parent, random.nextInt(100) - 1,
                random.nextLong(), random.nextInt(1 << 28), random.nextLong() >>> 27);
    }

    /**
     * Reads the bytes: whatever they are, the answer is a frame that is the same after it is written and read again, or
     * an error that says what is wrong with them.
     *
     * @return whether they were read
     */
    static boolean decode(byte[] bytes) {
        EventFrame frame;
        try {
            frame = EventFrameCodec.decode(bytes);
        } catch (RemoteException e) {
            assertThat(REFUSALS).as("refused with %s", e).contains(e.kind());
            return false;
        }
        assertThat(EventFrameCodec.decode(EventFrameCodec.encode(frame))).isEqualTo(frame);
        return true;
    }

    /** The document with its length and checksum made right, so that what lies behind those checks is reached. */
    static byte[] sealed(byte[] document) {
        byte[] sealed = document.clone();
        if (sealed.length >= 20) {
            ByteBuffer bytes = ByteBuffer.wrap(sealed).putInt(12, sealed.length);
            CRC32C checksum = new CRC32C();
            checksum.update(sealed, 0, sealed.length - 4);
            bytes.putInt(sealed.length - 4, (int) checksum.getValue());
        }
        return sealed;
    }
}
