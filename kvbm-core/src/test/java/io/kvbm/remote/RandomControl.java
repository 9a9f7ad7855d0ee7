package io.kvbm.remote;

import java.time.Duration;
import java.util.HexFormat;
import java.util.Random;
import java.util.stream.Collectors;

import io.kvbm.error.RemoteException;
import io.kvbm.token.ContentFingerprint;

/** Control messages of every kind, with numbers over their whole range. */
final class RandomControl {

    private static final RemoteException.Kind[] KINDS = RemoteException.Kind.values();
    private static final int[] CHARACTERS = {'a', '\'', 0, '\n', 0x7f, 0xe4, 0x7ff, 0x800, 0x2028, 0xffff, 0x10000,
        0x10ffff};

    private RandomControl() {}

    static PeerRequest request(Random random) {
        return switch (random.nextInt(9)) {
            case 0 -> new PeerRequest.State(random.nextLong());
            case 1 -> new PeerRequest.Export(random.nextLong());
            case 2 -> new PeerRequest.Events(random.nextLong(), random.nextLong(), random.nextLong() >>> 1);
            case 3 -> {
                int blocks = blocks(random);
                yield new PeerRequest.Lease(random.nextLong(), random.nextLong(), random.nextInt() >>> 1,
                        slots(random, blocks), random.longs(blocks).map(generation -> generation >>> 1).toArray(),
                        random.longs(blocks * (long) random.nextInt(5)).toArray(), time(random));
            }
            case 4 -> new PeerRequest.EndLease(random.nextLong(), random.nextLong(), random.nextLong());
            case 5 -> {
                int blocks = blocks(random);
                yield new PeerRequest.Pull(random.nextLong(), random.nextLong(), random.nextLong(),
                        random.nextInt() >>> 1, slots(random, blocks), random.longs(blocks).toArray(),
                        random.nextLong(), random.nextInt() >>> 1, slots(random, blocks), text(random));
            }
            case 6 -> new PeerRequest.BeginWrite(random.nextLong(), random.nextLong(), random.nextLong(),
                    random.nextLong(), random.nextInt() >>> 1, slots(random, 1 + blocks(random)));
            case 7 -> new PeerRequest.EndWrite(random.nextLong(), random.nextLong(), random.nextLong(), text(random));
            default -> new PeerRequest.Notify(random.nextLong(), "-" + text(random));
        };
    }

    static PeerAnswer answer(Random random) {
        return switch (random.nextInt(6)) {
            case 0 -> new PeerAnswer.State(random.nextLong(), random.nextLong(),
                    ContentFingerprint.ofBytes(bytes(random, 32)), HexFormat.of().formatHex(bytes(random, 32)),
                    random.nextBoolean());
            case 1 -> new PeerAnswer.Export(bytes(random, random.nextInt(500)));
            case 2 -> new PeerAnswer.Events(bytes(random, random.nextInt(500)));
            case 3 -> {
                int[] checksums = random.ints(blocks(random)).toArray();
                yield new PeerAnswer.Leased(checksums.length == 0 ? 0 : random.nextLong() | 1, checksums,
                        time(random));
            }
            case 4 -> new PeerAnswer.Done();
            default -> new PeerAnswer.Refused(KINDS[random.nextInt(KINDS.length)], text(random));
        };
    }

    /** The message of a request or an answer. */
    static byte[] message(Random random) {
        return random.nextBoolean() ? ControlCodec.encode(request(random)) : ControlCodec.encode(answer(random));
    }

    private static int blocks(Random random) {
        return random.nextInt(50) == 0 ? random.nextInt(2000) : random.nextInt(20);
    }

    private static int[] slots(Random random, int blocks) {
        return random.ints(blocks).map(slot -> slot >>> 1).toArray();
    }

    private static Duration time(Random random) {
        return Duration.ofNanos(1 + random.nextLong(random.nextBoolean() ? 1000 : ControlCodec.MAX_TIME.toNanos()));
    }

    private static String text(Random random) {
        return random.ints(random.nextInt(40), 0, CHARACTERS.length)
                .mapToObj(i -> Character.toString(CHARACTERS[i]))
                .collect(Collectors.joining());
    }

    private static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }
}
