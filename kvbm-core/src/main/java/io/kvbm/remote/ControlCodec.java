package io.kvbm.remote;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.token.ContentFingerprint;

/**
 * The form in which {@link PeerRequest}s and {@link PeerAnswer}s go from worker to worker. All numbers are unsigned and
 * big endian; whoever carries a message knows where it ends.
 *
 * <pre>
 *   message    "kvbm-ctl", u16 version, u16 least version of a reader, u16 kind, the fields of the kind
 *
 *   requests, each with u64 asker before its other fields
 *   0001 state
 *   0002 export
 *   0003 events     u64 epoch, u64 from
 *   0004 lease      u64 epoch, u32 block set, u64 time, u8 words, u32 blocks; u32 slot of each; u64 generation of each;
 *                   u64 words of the identity of each
 *   0005 end lease  u64 epoch, u64 lease
 *   0006 pull       u64 epoch of the asker, u64 epoch, u32 source set, u64 lease, u32 target set, text notification,
 *                   u32 blocks; u32 source of each; u64 loan of each; u32 target of each
 *   0007 notify     text notification
 *   0008 begin write  u64 epoch, u64 write, u64 lease, u32 block set, u32 blocks; u32 slot of each
 *   0009 end write  u64 epoch, u64 write, text notification
 *
 *   answers
 *   8001 state      u64 worker, u64 epoch, 32 bytes fingerprint, 32 bytes digest, u8 draining (0 or 1)
 *   8002 export     u32 length in bytes, the blockset
 *   8003 events     u32 length in bytes, the frame
 *   8004 leased     u64 lease, u64 time, u32 blocks; u32 checksum of each
 *   8005 done
 *   8006 refused    u8 reason, text
 *
 *   text            u16 length in bytes, UTF-8
 *   time            nanoseconds
 * </pre>
 *
 * Nothing follows the fields, and those of a kind never change: what is new comes as a kind of its own, in messages that
 * say which version can read them. The same holds for reasons.
 *
 * <p>
 * The limits of the fields keep a request below {@link #MAX_REQUEST_BYTES} and an answer below {@link #MAX_ANSWER_BYTES};
 * only leases and pulls, and only exports and events, come anywhere near them. What is read takes no more memory than
 * its bytes, and some 32 KiB.
 */
public final class ControlCodec {

    /** The length of a request in bytes at most: a pull of {@link #MAX_SLOTS} blocks. */
    public static final int MAX_REQUEST_BYTES = (1 << 20) + (8 << 10);

    /** The length of an answer in bytes at most: a frame of {@link #MAX_FRAME_BYTES}. */
    public static final int MAX_ANSWER_BYTES = 4 << 20;

    /** The blocks that one message names at most. */
    public static final int MAX_SLOTS = 1 << 16;

    /** The length of a frame of events in bytes at most. */
    public static final int MAX_FRAME_BYTES = MAX_ANSWER_BYTES - 64;

    /** The length of a notification in bytes of UTF-8 at most. */
    public static final int MAX_NOTIFICATION_BYTES = 4 << 10;

    /** The length in bytes of UTF-8 of what says why a request is refused; it is cut there. */
    public static final int MAX_REASON_BYTES = 4 << 10;

    /** The time for which blocks are held at most. */
    public static final Duration MAX_TIME = Duration.ofHours(1);

    static final int DIGEST_BYTES = 32;

    private static final byte[] MAGIC = "kvbm-ctl".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 1;
    private static final int HEADER_BYTES = MAGIC.length + 3 * Short.BYTES;

    private static final int ASK_STATE = 0x0001;
    private static final int ASK_EXPORT = 0x0002;
    private static final int ASK_EVENTS = 0x0003;
    private static final int LEASE = 0x0004;
    private static final int END_LEASE = 0x0005;
    private static final int PULL = 0x0006;
    private static final int NOTIFY = 0x0007;
    private static final int BEGIN_WRITE = 0x0008;
    private static final int END_WRITE = 0x0009;

    private static final int STATE = 0x8001;
    private static final int EXPORT = 0x8002;
    private static final int EVENTS = 0x8003;
    private static final int LEASED = 0x8004;
    private static final int DONE = 0x8005;
    private static final int REFUSED = 0x8006;

    private static final int LEASE_BYTES = Integer.BYTES + Long.BYTES;
    private static final int PULL_BYTES = 2 * Integer.BYTES + Long.BYTES;

    // the number of each on the wire is its place here, from 1; new ones come at the end
    private static final List<Kind> REASONS = List.of(Kind.MALFORMED, Kind.UNSUPPORTED_VERSION, Kind.UNSUPPORTED_LAYOUT,
            Kind.LIMIT, Kind.OWN_WORKER, Kind.GEOMETRY, Kind.STALE_EPOCH, Kind.UNKNOWN_WORKER,
            Kind.UNKNOWN_BLOCK_SET, Kind.INDEX_OUT_OF_RANGE, Kind.NOT_MUTABLE, Kind.DRAINING, Kind.TRANSPORT,
            Kind.STALE_BLOCK, Kind.BUSY, Kind.DEADLINE);

    private ControlCodec() {}

    /** The request as a message. Equal requests give equal bytes. */
    public static byte[] encode(PeerRequest request) {
        WireWriter out = new WireWriter();
        header(out, kind(request));
        out.u64(request.asker());
        switch (request) {
            case PeerRequest.State _,PeerRequest.Export _ -> {
                // nothing but the asker
            }
            case PeerRequest.Events events -> {
                out.u64(events.epoch());
                out.u64(events.from());
            }
            case PeerRequest.Lease lease -> {
                out.u64(lease.epoch());
                out.count(lease.blockSet());
                out.u64(lease.time().toNanos());
                out.u8(lease.words());
                out.count(lease.slots().length);
                out.u32s(lease.slots());
                out.u64s(lease.generations());
                out.u64s(lease.names());
            }
            case PeerRequest.EndLease end -> {
                out.u64(end.epoch());
                out.u64(end.lease());
            }
            case PeerRequest.Pull pull -> writePull(out, pull);
            case PeerRequest.Notify notify -> writeText(out, notify.notification());
            case PeerRequest.BeginWrite begin -> {
                out.u64(begin.epoch());
                out.u64(begin.write());
                out.u64(begin.lease());
                out.count(begin.blockSet());
                out.count(begin.slots().length);
                out.u32s(begin.slots());
            }
            case PeerRequest.EndWrite end -> {
                out.u64(end.epoch());
                out.u64(end.write());
                writeText(out, end.notification());
            }
        }
        return out.toBytes();
    }

    private static int kind(PeerRequest request) {
        return switch (request) {
            case PeerRequest.State _ -> ASK_STATE;
            case PeerRequest.Export _ -> ASK_EXPORT;
            case PeerRequest.Events _ -> ASK_EVENTS;
            case PeerRequest.Lease _ -> LEASE;
            case PeerRequest.EndLease _ -> END_LEASE;
            case PeerRequest.Pull _ -> PULL;
            case PeerRequest.Notify _ -> NOTIFY;
            case PeerRequest.BeginWrite _ -> BEGIN_WRITE;
            case PeerRequest.EndWrite _ -> END_WRITE;
        };
    }

    private static void writePull(WireWriter out, PeerRequest.Pull pull) {
        out.u64(pull.askerEpoch());
        out.u64(pull.epoch());
        out.count(pull.sourceSet());
        out.u64(pull.lease());
        out.count(pull.targetSet());
        writeText(out, pull.notification());
        out.count(pull.sources().length);
        out.u32s(pull.sources());
        out.u64s(pull.loans());
        out.u32s(pull.targets());
    }

    /** The answer as a message. Equal answers give equal bytes. */
    public static byte[] encode(PeerAnswer answer) {
        WireWriter out = new WireWriter();
        switch (answer) {
            case PeerAnswer.State state -> {
                header(out, STATE);
                out.u64(state.workerId());
                out.u64(state.epoch());
                out.bytes(state.fingerprint().bytes());
                out.bytes(HexFormat.of().parseHex(state.digest()));
                out.u8(state.draining() ? 1 : 0);
            }
            case PeerAnswer.Export export -> {
                header(out, EXPORT);
                writeBytes(out, export.blockset());
            }
            case PeerAnswer.Events events -> {
                header(out, EVENTS);
                writeBytes(out, events.frame());
            }
            case PeerAnswer.Leased leased -> {
                header(out, LEASED);
                out.u64(leased.lease());
                out.u64(leased.time().toNanos());
                out.count(leased.checksums().length);
                out.u32s(leased.checksums());
            }
            case PeerAnswer.Done _ -> header(out, DONE);
            case PeerAnswer.Refused refused -> {
                header(out, REFUSED);
                out.u8(REASONS.indexOf(refused.kind()) + 1);
                writeText(out, refused.message());
            }
        }
        return out.toBytes();
    }

    private static void header(WireWriter out, int kind) {
        out.bytes(MAGIC);
        out.u16(VERSION);
        out.u16(VERSION);
        out.u16(kind);
    }

    private static void writeText(WireWriter out, String text) {
        byte[] utf8 = ControlRanges.utf8(text);
        out.u16(utf8.length);
        out.bytes(utf8);
    }

    private static void writeBytes(WireWriter out, byte[] bytes) {
        out.count(bytes.length);
        out.bytes(bytes);
    }

    /**
     * Reads a request.
     *
     * @throws RemoteException {@code MALFORMED}, {@code UNSUPPORTED_VERSION} or {@code LIMIT}, whatever the bytes are
     */
    public static PeerRequest decodeRequest(byte[] message) {
        WireReader in = open(message, "The request", MAX_REQUEST_BYTES);
        int kind = in.u16();
        long asker = kind >= ASK_STATE && kind <= END_WRITE ? in.u64() : 0;
        PeerRequest request = switch (kind) {
            case ASK_STATE -> new PeerRequest.State(asker);
            case ASK_EXPORT -> new PeerRequest.Export(asker);
            case ASK_EVENTS -> new PeerRequest.Events(asker, in.u64(), in.u64());
            case LEASE -> readLease(asker, in);
            case END_LEASE -> new PeerRequest.EndLease(asker, in.u64(), in.u64());
            case PULL -> readPull(asker, in);
            case NOTIFY -> new PeerRequest.Notify(asker, readNotification(in));
            case BEGIN_WRITE -> readBeginWrite(asker, in);
            case END_WRITE -> new PeerRequest.EndWrite(asker, in.u64(), in.u64(), readNotification(in));
            default -> throw unknown("request", kind);
        };
        in.end();
        return request;
    }

    private static PeerRequest readLease(long asker, WireReader in) {
        long epoch = in.u64();
        int blockSet = in.count();
        Duration time = readTime(in);
        int words = in.u8();
        ControlRanges.requireAtMost("The number of words of an identity", words, PeerRequest.Lease.MAX_WORDS);
        int blocks = readBlocks(in, LEASE_BYTES + words * Long.BYTES);
        if (blocks == 0 && words > 0) {
            throw Refusal.malformed("The message has " + words + " words for the identity of each of no blocks");
        }
        return new PeerRequest.Lease(asker, epoch, blockSet, in.counts(blocks), in.u64s(blocks),
                in.u64s(blocks * words), time);
    }

    private static PeerRequest readBeginWrite(long asker, WireReader in) {
        long epoch = in.u64();
        long write = in.u64();
        long lease = in.u64();
        int blockSet = in.count();
        return new PeerRequest.BeginWrite(asker, epoch, write, lease, blockSet,
                in.counts(readBlocks(in, Integer.BYTES)));
    }

    private static String readNotification(WireReader in) {
        return readText(in, "notification", MAX_NOTIFICATION_BYTES);
    }

    private static PeerRequest readPull(long asker, WireReader in) {
        long askerEpoch = in.u64();
        long epoch = in.u64();
        int sourceSet = in.count();
        long lease = in.u64();
        int targetSet = in.count();
        String notification = readNotification(in);
        int blocks = readBlocks(in, PULL_BYTES);
        return new PeerRequest.Pull(asker, askerEpoch, epoch, sourceSet, in.counts(blocks), in.u64s(blocks), lease,
                targetSet, in.counts(blocks), notification);
    }

    /**
     * Reads an answer.
     *
     * @throws RemoteException {@code MALFORMED}, {@code UNSUPPORTED_VERSION} or {@code LIMIT}, whatever the bytes are
     */
    public static PeerAnswer decodeAnswer(byte[] message) {
        WireReader in = open(message, "The answer", MAX_ANSWER_BYTES);
        int kind = in.u16();
        PeerAnswer answer = switch (kind) {
            case STATE -> readState(in);
            case EXPORT -> new PeerAnswer.Export(readBytes(in, "blockset", BlocksetCodec.MAX_BYTES));
            case EVENTS -> new PeerAnswer.Events(readBytes(in, "frame of events", MAX_FRAME_BYTES));
            case LEASED -> readLeased(in);
            case DONE -> new PeerAnswer.Done();
            case REFUSED -> new PeerAnswer.Refused(readReason(in), readText(in, "reason", MAX_REASON_BYTES));
            default -> throw unknown("answer", kind);
        };
        in.end();
        return answer;
    }

    private static PeerAnswer readState(WireReader in) {
        long worker = in.u64();
        long epoch = in.u64();
        ContentFingerprint fingerprint = ContentFingerprint.ofBytes(in.bytes(ContentFingerprint.BYTES));
        String digest = HexFormat.of().formatHex(in.bytes(DIGEST_BYTES));
        int draining = in.u8();
        if (draining > 1) {
            throw Refusal.malformed("The answer says with " + draining
                    + " whether its worker is leaving; known are 0 and 1");
        }
        return new PeerAnswer.State(worker, epoch, fingerprint, digest, draining == 1);
    }

    private static PeerAnswer readLeased(WireReader in) {
        long lease = in.u64();
        Duration time = readTime(in);
        int blocks = readBlocks(in, Integer.BYTES);
        return new PeerAnswer.Leased(lease, in.u32s(blocks), time);
    }

    private static Kind readReason(WireReader in) {
        int number = in.u8();
        if (number < 1 || number > REASONS.size()) {
            throw Refusal.malformed("The answer has the reason " + number + "; known are 1 to " + REASONS.size());
        }
        return REASONS.get(number - 1);
    }

    /** Whether bytes start as a message does. */
    static boolean isMessage(byte[] bytes) {
        return bytes.length >= MAGIC.length && Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
    }

    /** What follows the first three fields of a message, from its kind on. */
    private static WireReader open(byte[] message, String what, int limit) {
        ControlRanges.requireAtMost(what + "'s length in bytes", message.length, limit);
        if (message.length < HEADER_BYTES || !isMessage(message)) {
            throw Refusal.malformed(
                    what + " has " + message.length + " bytes that do not start like a control message");
        }
        WireReader in = new WireReader(message, MAGIC.length, message.length - MAGIC.length, what);
        int version = in.u16();
        int least = in.u16();
        if (least > VERSION) {
            throw new RemoteException(Kind.UNSUPPORTED_VERSION, what + " of version " + version
                    + " needs a reader of version " + least + ", and this is version " + VERSION
                    + "; bring both workers to one version of kvbm");
        }
        if (least < 1 || version < least) {
            throw Refusal.malformed(what + " is of version " + version + " for readers from " + least + " on");
        }
        return in;
    }

    private static Duration readTime(WireReader in) {
        return Duration.ofNanos(in.u64());
    }

    /** The number of blocks of which so many bytes each are all that is left. */
    private static int readBlocks(WireReader in, int bytesEach) {
        int blocks = in.count();
        ControlRanges.requireAtMost("The number of blocks", blocks, MAX_SLOTS);
        if (in.remaining() != blocks * bytesEach) {
            throw Refusal.malformed("The message names " + blocks + " blocks of " + bytesEach + " bytes each in "
                    + in.remaining() + " bytes");
        }
        return blocks;
    }

    private static byte[] readBytes(WireReader in, String what, int limit) {
        int length = in.count();
        ControlRanges.requireAtMost("The length of the " + what + " in bytes", length, limit);
        return in.bytes(length);
    }

    private static String readText(WireReader in, String what, int limit) {
        int length = in.u16();
        ControlRanges.requireAtMost("The length of the " + what + " in bytes", length, limit);
        return ControlRanges.text(in.bytes(length));
    }

    private static RemoteException unknown(String what, int kind) {
        return Refusal.malformed("The message has the kind " + HexFormat.of().toHexDigits((short) kind)
                + ", which is no " + what);
    }
}
