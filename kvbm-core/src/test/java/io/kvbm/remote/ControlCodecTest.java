package io.kvbm.remote;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class ControlCodecTest {

    private static final Duration SECOND = Duration.ofSeconds(1);
    private static final String MAGIC = "6b76626d2d63746c";
    private static final String HEADER = MAGIC + "00010001";
    private static final String DIGEST = "00112233445566778899aabbccddeeff".repeat(2);

    private static final PeerRequest.Lease LEASE = new PeerRequest.Lease(-1, 3, 1, new int[]{0, Integer.MAX_VALUE},
            new long[]{5, Long.MAX_VALUE}, Duration.ofHours(1));
    private static final PeerRequest.Pull PULL = new PeerRequest.Pull(-1, 2, 3, 4, new int[]{6, 7}, new long[]{-1, 9},
            8, 5, new int[]{10, 11}, "h\u00e4");

    private static void refused(Kind kind, String why, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    private static byte[] hex(String... digits) {
        return HexFormat.of().parseHex(String.join("", digits).replace(" ", ""));
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    private static void refusedRequest(Kind kind, String why, byte[] message) {
        refused(kind, why, () -> ControlCodec.decodeRequest(message));
    }

    private static void refusedAnswer(Kind kind, String why, byte[] message) {
        refused(kind, why, () -> ControlCodec.decodeAnswer(message));
    }

    private static byte[] withInt(byte[] message, int at, int value) {
        return ByteBuffer.wrap(message.clone()).putInt(at, value).array();
    }

    private static byte[] withLong(byte[] message, int at, long value) {
        return ByteBuffer.wrap(message.clone()).putLong(at, value).array();
    }

    /** A message and its bytes behind the header. */
    record Golden<T>(T message, String fields) {

        byte[] bytes() {
            return hex(HEADER, fields);
        }
    }

    static Stream<Golden<PeerRequest>> goldenRequests() {
        return Stream.of(new Golden<>(new PeerRequest.State(-1), "0001 ffffffffffffffff"),
                new Golden<>(new PeerRequest.Export(2), "0002 0000000000000002"),
                new Golden<>(new PeerRequest.Events(2, -2, 258),
                        "0003 0000000000000002 fffffffffffffffe 0000000000000102"),
                new Golden<>(LEASE, "0004 ffffffffffffffff 0000000000000003 00000001 0000034630b8a000 "
                        + "00 00000002 00000000 7fffffff 0000000000000005 7fffffffffffffff"),
                new Golden<>(new PeerRequest.Lease(2, 3, 1, new int[]{4, 5}, new long[]{6, 7},
                        new long[]{8, -1, 10, 11}, Duration.ofNanos(258)),
                        "0004 0000000000000002 0000000000000003 00000001 0000000000000102 02 00000002"
                                + "00000004 00000005 0000000000000006 0000000000000007"
                                + "0000000000000008 ffffffffffffffff 000000000000000a 000000000000000b"),
                new Golden<>(new PeerRequest.EndLease(2, 3, -4),
                        "0005 0000000000000002 0000000000000003 fffffffffffffffc"),
                new Golden<>(PULL, "0006 ffffffffffffffff 0000000000000002 0000000000000003 00000004"
                        + "0000000000000008 00000005"
                        + "0003 68c3a4 00000002 00000006 00000007 ffffffffffffffff 0000000000000009 0000000a 0000000b"),
                new Golden<>(new PeerRequest.Notify(2, "ok\n"), "0007 0000000000000002 0003 6f6b0a"),
                new Golden<>(new PeerRequest.BeginWrite(2, 3, -1, 5, 1, new int[]{6, 7}),
                        "0008 0000000000000002 0000000000000003 ffffffffffffffff 0000000000000005 00000001"
                                + "00000002 00000006 00000007"),
                new Golden<>(new PeerRequest.EndWrite(2, 3, -1, "ok\n"),
                        "0009 0000000000000002 0000000000000003 ffffffffffffffff 0003 6f6b0a"));
    }

    static Stream<Golden<PeerAnswer>> goldenAnswers() {
        return Stream.of(
                new Golden<>(new PeerAnswer.State(-1, 2, Exports.fingerprint(), DIGEST, true),
                        "8001 ffffffffffffffff 0000000000000002 " + Exports.fingerprint() + DIGEST + "01"),
                new Golden<>(new PeerAnswer.Export(new byte[]{1, -1}), "8002 00000002 01ff"),
                new Golden<>(new PeerAnswer.Events(new byte[]{2}), "8003 00000001 02"),
                new Golden<>(new PeerAnswer.Leased(-1, new int[]{-1, 1}, Duration.ofNanos(258)),
                        "8004 ffffffffffffffff 0000000000000102 00000002 ffffffff 00000001"),
                new Golden<>(new PeerAnswer.Done(), "8005"),
                new Golden<>(new PeerAnswer.Refused(Kind.BUSY, "\u00e4"), "8006 0f 0002 c3a4"));
    }

    @ParameterizedTest
    @MethodSource("goldenRequests")
    void theBytesOfARequestNeverChange(Golden<PeerRequest> golden) {
        assertThat(hex(ControlCodec.encode(golden.message()))).isEqualTo(hex(golden.bytes()));
        assertThat(ControlCodec.decodeRequest(golden.bytes())).usingRecursiveComparison().isEqualTo(golden.message());
    }

    @ParameterizedTest
    @MethodSource("goldenAnswers")
    void theBytesOfAnAnswerNeverChange(Golden<PeerAnswer> golden) {
        assertThat(hex(ControlCodec.encode(golden.message()))).isEqualTo(hex(golden.bytes()));
        assertThat(ControlCodec.decodeAnswer(golden.bytes())).usingRecursiveComparison().isEqualTo(golden.message());
    }

    @Test
    void everyKindOfMessageHasGoldenBytes() {
        assertThat(kinds(goldenRequests())).containsExactlyInAnyOrder(PeerRequest.class.getPermittedSubclasses());
        assertThat(kinds(goldenAnswers())).containsExactlyInAnyOrder(PeerAnswer.class.getPermittedSubclasses());
    }

    private static <T> Class<?>[] kinds(Stream<Golden<T>> golden) {
        return golden.map(Golden::message).map(Object::getClass).distinct().toArray(Class<?>[]::new);
    }

    @Test
    void theNumbersOfReasonsNeverChange() {
        List<String> reasons = List.of("MALFORMED", "UNSUPPORTED_VERSION", "UNSUPPORTED_LAYOUT", "LIMIT", "OWN_WORKER",
                "GEOMETRY", "STALE_EPOCH", "UNKNOWN_WORKER", "UNKNOWN_BLOCK_SET",
                "INDEX_OUT_OF_RANGE", "NOT_MUTABLE", "DRAINING", "TRANSPORT", "STALE_BLOCK", "BUSY", "DEADLINE");
        for (Kind kind : Kind.values()) {
            byte[] message = ControlCodec.encode(new PeerAnswer.Refused(kind, ""));
            assertThat((int) message[14]).as("%s; a new kind gets a number at the end", kind)
                    .isPositive()
                    .isEqualTo(reasons.indexOf(kind.name()) + 1);
            assertThat(ControlCodec.decodeAnswer(message)).isEqualTo(new PeerAnswer.Refused(kind, ""));
        }
        for (String unknown : List.of("00", "11", "ff")) {
            refusedAnswer(Kind.MALFORMED, "known are 1 to 16", hex(HEADER, "8006", unknown, "0000"));
        }
    }

    @Test
    void whatIsWrittenIsReadAsItWas() {
        Random random = RandomCase.random("ControlCodecTest.whatIsWrittenIsReadAsItWas");
        for (int i = 0; i < RandomCase.cases(2000); i++) {
            PeerRequest request = RandomControl.request(random);
            byte[] asked = ControlCodec.encode(request);
            assertThat(ControlCodec.decodeRequest(asked)).usingRecursiveComparison().isEqualTo(request);
            assertThat(ControlCodec.encode(ControlCodec.decodeRequest(asked))).isEqualTo(asked);
            PeerAnswer answer = RandomControl.answer(random);
            byte[] answered = ControlCodec.encode(answer);
            assertThat(ControlCodec.decodeAnswer(answered)).usingRecursiveComparison().isEqualTo(answer);
            assertThat(ControlCodec.encode(ControlCodec.decodeAnswer(answered))).isEqualTo(answered);
        }
    }

    @Test
    void theLargestMessagesHaveRoom() {
        int[] slots = IntStream.range(0, ControlCodec.MAX_SLOTS).toArray();
        long[] numbers = new long[ControlCodec.MAX_SLOTS];
        for (PeerRequest request : List.of(new PeerRequest.Lease(1, 1, 1, slots, numbers, SECOND),
                new PeerRequest.Pull(1,
                        1, 1, 1, slots, numbers, 1, 1, slots, "x".repeat(ControlCodec.MAX_NOTIFICATION_BYTES)))) {
            byte[] message = ControlCodec.encode(request);
            assertThat(message).hasSizeLessThanOrEqualTo(ControlCodec.MAX_REQUEST_BYTES);
            assertThat(ControlCodec.encode(ControlCodec.decodeRequest(message))).isEqualTo(message);
            Hostile.requireFrugal(message, ControlCodec::decodeRequest, 1);
        }
        for (PeerAnswer answer : List.of(new PeerAnswer.Leased(1, slots, SECOND),
                new PeerAnswer.Export(new byte[BlocksetCodec.MAX_BYTES]),
                new PeerAnswer.Events(new byte[ControlCodec.MAX_FRAME_BYTES]),
                new PeerAnswer.Refused(Kind.BUSY, "x".repeat(10_000)))) {
            byte[] message = ControlCodec.encode(answer);
            assertThat(message).hasSizeLessThanOrEqualTo(ControlCodec.MAX_ANSWER_BYTES);
            assertThat(ControlCodec.encode(ControlCodec.decodeAnswer(message))).isEqualTo(message);
            Hostile.requireFrugal(message, ControlCodec::decodeAnswer, 1);
        }
    }

    @Test
    void requestsThatNameTheImpossibleCannotBeMade() {
        int[] one = {1};
        long[] two = {1, 2};
        malformed("block set is -1", () -> lease(-1, one, new long[1], SECOND));
        malformed("Slot -2 is one of the slots", () -> lease(1, new int[]{3, -2}, two, SECOND));
        malformed("1 slots, but 2 generations", () -> lease(1, one, two, SECOND));
        malformed("Generation -1", () -> lease(1, one, new long[]{-1}, SECOND));
        malformed("for PT0S", () -> lease(1, one, new long[1], Duration.ZERO));
        malformed("for PT-1S", () -> lease(1, one, new long[1], Duration.ofSeconds(-1)));
        malformed("at most PT1H", () -> lease(1, one, new long[1], Duration.ofHours(1).plusNanos(1)));
        malformed("at most PT1H", () -> lease(1, one, new long[1], Duration.ofSeconds(Long.MAX_VALUE)));
        malformed("sources is -1", () -> pull(-1, one, new long[1], 1, one, ""));
        malformed("targets is -1", () -> pull(1, one, new long[1], -1, one, ""));
        malformed("one of the sources", () -> pull(1, new int[]{-1}, new long[1], 1, one, ""));
        malformed("one of the targets", () -> pull(1, one, new long[1], 1, new int[]{-1}, ""));
        malformed("1 sources, but 2 loans", () -> pull(1, one, two, 1, one, ""));
        malformed("1 sources, but 2 targets", () -> pull(1, one, new long[1], 1, new int[2], ""));
        malformed("half of one", () -> pull(1, one, new long[1], 1, one, "\ud800"));
        malformed("half of one", () -> new PeerRequest.Notify(1, "a\udc00b"));
        malformed("notification is empty", () -> new PeerRequest.Notify(1, ""));
    }

    @Test
    void requestsThatNameTooMuchCannotBeMade() {
        int[] slots = new int[ControlCodec.MAX_SLOTS + 1];
        long[] numbers = new long[slots.length];
        tooMuch("slots is 65537", () -> lease(1, slots, numbers, SECOND));
        tooMuch("sources is 65537", () -> pull(1, slots, numbers, 1, slots, ""));
        tooMuch("is 4097", () -> new PeerRequest.Notify(1, "x".repeat(4097)));
        tooMuch("in bytes is 4098", () -> new PeerRequest.Notify(1, "\u00e4".repeat(2049)));
        tooMuch("in bytes is 4098", () -> pull(1, new int[0], new long[0], 1, new int[0], "\u00e4".repeat(2049)));
        assertThat(new PeerRequest.Notify(1, "\u00e4".repeat(2048)).notification()).hasSize(2048);
    }

    @Test
    void answersThatSayTheImpossibleCannotBeMade() {
        malformed("3 characters", () -> new PeerAnswer.State(1, 1, Exports.fingerprint(), "abc", false));
        malformed("64 characters",
                () -> new PeerAnswer.State(1, 1, Exports.fingerprint(), DIGEST.toUpperCase(Locale.ROOT),
                        false));
        malformed("Lease 0 holds 1 blocks", () -> new PeerAnswer.Leased(0, new int[1], SECOND));
        malformed("Lease 18446744073709551615 holds 0 blocks", () -> new PeerAnswer.Leased(-1, new int[0], SECOND));
        malformed("for PT0S", () -> new PeerAnswer.Leased(0, new int[0], Duration.ZERO));
        tooMuch("is 65537", () -> new PeerAnswer.Leased(1, new int[65537], SECOND));
        tooMuch("is 1048577", () -> new PeerAnswer.Export(new byte[BlocksetCodec.MAX_BYTES + 1]));
        tooMuch("is 4194241", () -> new PeerAnswer.Events(new byte[ControlCodec.MAX_FRAME_BYTES + 1]));
    }

    @Test
    void aReasonIsAlwaysToldAsFarAsThereIsRoomAndOnOneLine() {
        assertThat(reason("Block 3 is gone; ask anew")).isEqualTo("Block 3 is gone; ask anew");
        assertThat(reason("a\r\nb\tc\u001b[0m\u2028\u202e\ud800\u0085d")).isEqualTo("a??b?c?[0m????d");
        assertThat(reason("x".repeat(5000))).isEqualTo("x".repeat(4096));
        assertThat(reason("x" + "\u00e4".repeat(5000))).isEqualTo("x" + "\u00e4".repeat(2047));
        assertThat(reason("\u20ac".repeat(5000))).isEqualTo("\u20ac".repeat(1365));
        assertThat(reason("xyz" + "\ud83d\ude00".repeat(5000))).isEqualTo("xyz" + "\ud83d\ude00".repeat(1023));
        assertThat(reason("\n".repeat(5000))).isEqualTo("?".repeat(4096));
        byte[] lines = hex(HEADER, "8006 01 0003 610a62");
        assertThat(ControlCodec.decodeAnswer(lines)).isEqualTo(new PeerAnswer.Refused(Kind.MALFORMED, "a?b"));
    }

    private static String reason(String message) {
        PeerAnswer.Refused refused = new PeerAnswer.Refused(Kind.BUSY, message);
        assertThat(ControlCodec.decodeAnswer(ControlCodec.encode(refused))).isEqualTo(refused);
        assertThat(refused.message().getBytes(StandardCharsets.UTF_8)).hasSizeLessThanOrEqualTo(4096);
        return refused.message();
    }

    private static PeerRequest lease(int blockSet, int[] slots, long[] generations, Duration time) {
        return new PeerRequest.Lease(1, 1, blockSet, slots, generations, time);
    }

    private static PeerRequest pull(int sourceSet, int[] sources, long[] loans, int targetSet, int[] targets,
            String notification) {
        return new PeerRequest.Pull(1, 1, 1, sourceSet, sources, loans, 1, targetSet, targets, notification);
    }

    private static void malformed(String why, ThrowingCallable call) {
        refused(Kind.MALFORMED, why, call);
    }

    private static void tooMuch(String why, ThrowingCallable call) {
        refused(Kind.LIMIT, why, call);
    }

    @Test
    void theImpossibleIsRefusedInBytesToo() {
        byte[] lease = ControlCodec.encode(LEASE);
        int time = 14 + 8 + 8 + 4;
        refusedRequest(Kind.MALFORMED, "for PT0S", withLong(lease, time, 0));
        refusedRequest(Kind.MALFORMED, "at most PT1H", withLong(lease, time, 3_600_000_000_001L));
        refusedRequest(Kind.MALFORMED, "for PT-", withLong(lease, time, -1));
        refusedRequest(Kind.MALFORMED, "for PT-", withLong(lease, time, Long.MIN_VALUE));
        refusedRequest(Kind.MALFORMED, "number 2147483648", withInt(lease, time - 4, Integer.MIN_VALUE));
        refusedRequest(Kind.MALFORMED, "number 4294967295", withInt(lease, time + 13, -1));
        refusedRequest(Kind.MALFORMED, "Generation -1", withLong(lease, time + 21, -1));
        refusedRequest(Kind.MALFORMED, "notification is empty", hex(HEADER, "0007", "00".repeat(10)));
        for (String text : List.of("0001 ff", "0002 c080", "0003 eda080", "0001 c3", "0004 f4908080")) {
            refusedRequest(Kind.MALFORMED, "no UTF-8", hex(HEADER, "0007", "00".repeat(8), text));
            refusedAnswer(Kind.MALFORMED, "no UTF-8", hex(HEADER, "8006 01", text));
        }
        refusedAnswer(Kind.MALFORMED, "with 2 whether", hex(HEADER, "8001", "00".repeat(80), "02"));
        refusedAnswer(Kind.MALFORMED, "Lease 1 holds 0 blocks",
                hex(HEADER, "8004 0000000000000001 0000000000000001 00000000"));
        refusedAnswer(Kind.MALFORMED, "Lease 0 holds 1 blocks",
                hex(HEADER, "8004 0000000000000000 0000000000000001 00000001 00000000"));
    }

    @Test
    void numbersOfThingsThatTheBytesDoNotHoldAreRefusedBeforeAnythingIsAllocated() {
        byte[] lease = ControlCodec.encode(LEASE);
        int count = 14 + 8 + 8 + 4 + 8 + 1;
        refusedRequest(Kind.MALFORMED, "1 blocks of 12 bytes each in 24 bytes", withInt(lease, count, 1));
        refusedRequest(Kind.MALFORMED, "3 blocks of 12 bytes each in 24 bytes", withInt(lease, count, 3));
        refusedRequest(Kind.MALFORMED, "65536 blocks", withInt(lease, count, 65536));
        lease[count - 1] = 5;
        refusedRequest(Kind.LIMIT, "words of an identity is 5, over the limit of 4", lease);
        lease[count - 1] = 0;
        refusedRequest(Kind.LIMIT, "is 65537, over the limit of 65536", withInt(lease, count, 65537));
        refusedRequest(Kind.LIMIT, "is 2147483647, over", withInt(lease, count, Integer.MAX_VALUE));
        refusedRequest(Kind.MALFORMED, "number 4294967295", withInt(lease, count, -1));
        Hostile.requireFrugal(withInt(lease, count, 65536), ControlCodec::decodeRequest, 1);
        byte[] export = hex(HEADER, "8002 00100000");
        refusedAnswer(Kind.MALFORMED, "ends after 0 bytes, where 1048576 are expected", export);
        Hostile.requireFrugal(export, ControlCodec::decodeAnswer, 1);
        refusedAnswer(Kind.LIMIT, "is 1048577", hex(HEADER, "8002 00100001"));
        byte[] frame = hex(HEADER, "8003 003fffc0");
        refusedAnswer(Kind.MALFORMED, "ends after 0 bytes, where 4194240 are expected", frame);
        Hostile.requireFrugal(frame, ControlCodec::decodeAnswer, 1);
        refusedAnswer(Kind.LIMIT, "is 4194241", hex(HEADER, "8003 003fffc1"));
        refusedRequest(Kind.MALFORMED, "where 4096 are expected", hex(HEADER, "0007", "00".repeat(8), "1000"));
        refusedRequest(Kind.LIMIT, "is 4097", hex(HEADER, "0007", "00".repeat(8), "1001"));
        refusedAnswer(Kind.LIMIT, "is 65535", hex(HEADER, "8006 01 ffff"));
    }

    @Test
    void aMessageLongerThanAnyIsRefusedUnread() {
        byte[] done = hex(HEADER, "8005");
        refusedAnswer(Kind.MALFORMED, "too many", Arrays.copyOf(done, ControlCodec.MAX_ANSWER_BYTES));
        refusedAnswer(Kind.LIMIT, "over the limit of 4194304", Arrays.copyOf(done, ControlCodec.MAX_ANSWER_BYTES + 1));
        refusedRequest(Kind.LIMIT, "over the limit of 1056768", new byte[ControlCodec.MAX_REQUEST_BYTES + 1]);
    }

    @Test
    void theFormOfALaterVersionIsReadUnlessItSaysOtherwise() {
        assertThat(ControlCodec.decodeAnswer(hex(MAGIC, "0009 0001 8005"))).isEqualTo(new PeerAnswer.Done());
        refusedAnswer(Kind.UNSUPPORTED_VERSION, "needs a reader of version 2", hex(MAGIC, "0002 0002 8005"));
        refusedAnswer(Kind.UNSUPPORTED_VERSION, "needs a reader of version 2", hex(MAGIC, "0002 0002 8009"));
        refusedRequest(Kind.UNSUPPORTED_VERSION, "needs a reader of version 65535", hex(MAGIC, "ffff ffff 0001"));
        refusedAnswer(Kind.MALFORMED, "version 1 for readers from 0", hex(MAGIC, "0001 0000 8005"));
        refusedAnswer(Kind.MALFORMED, "version 0 for readers from 1", hex(MAGIC, "0000 0001 8005"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0000", "000a", "8000", "8007", "ffff"})
    void anUnknownKindIsRefused(String kind) {
        refusedRequest(Kind.MALFORMED, "kind " + kind + ", which is no request", hex(HEADER, kind));
        refusedAnswer(Kind.MALFORMED, "kind " + kind + ", which is no answer", hex(HEADER, kind));
    }

    @Test
    void aRequestIsNoAnswer() {
        refusedAnswer(Kind.MALFORMED, "kind 0001, which is no answer",
                ControlCodec.encode(new PeerRequest.State(1)));
        refusedRequest(Kind.MALFORMED, "kind 8005, which is no request", ControlCodec.encode(new PeerAnswer.Done()));
    }

    @Test
    void whatIsNoControlMessageIsRefused() {
        for (byte[] bytes : List.of(new byte[0], new byte[13], new byte[1000], hex(HEADER), hex(MAGIC, "0001"),
                hex("6b76626d2d736574 0001 0001 8005"), BlocksetCodec.encode(Exports.golden()))) {
            refusedRequest(Kind.MALFORMED, "do not start like a control message", bytes);
            refusedAnswer(Kind.MALFORMED, "do not start like a control message", bytes);
        }
    }

    @Test
    void everyTruncationAndEveryAdditionIsNoticed() {
        Stream.concat(goldenRequests(), goldenAnswers())
                .map(Golden::bytes)
                .forEach(
                        message -> {
                            assertThat(Hostile.readControl(message)).isTrue();
                            for (int length = 0; length < message.length; length++) {
                                assertThat(Hostile.readControl(Arrays.copyOf(message, length)))
                                        .as("%s bytes of %s", length,
                                                HexFormat.of().formatHex(message))
                                        .isFalse();
                            }
                            assertThat(Hostile.readControl(Arrays.copyOf(message, message.length + 1))).isFalse();
                        });
    }

    @Test
    void hostileBytesAreRefusedWhateverTheyAre() {
        Random random = RandomCase.random("ControlCodecTest.hostileBytesAreRefusedWhateverTheyAre");
        byte[] other = RandomControl.message(random);
        int read = 0;
        for (int i = 0; i < RandomCase.cases(10_000); i++) {
            byte[] message = RandomControl.message(random);
            for (int j = 0; j < 10; j++) {
                byte[] mutated = Hostile.mutated(message, other, random);
                read += Hostile.readControl(mutated) ? 1 : 0;
                Hostile.requireFrugal(mutated, ControlCodec::decodeRequest, 2);
                Hostile.requireFrugal(mutated, ControlCodec::decodeAnswer, 2);
            }
            other = message;
        }
        System.out.println("ControlCodecTest: " + read + " changes were read as another message");
        assertThat(read).isPositive();
    }
}
