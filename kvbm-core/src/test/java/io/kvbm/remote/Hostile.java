package io.kvbm.remote;

import java.io.ByteArrayOutputStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import com.sun.management.ThreadMXBean;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;

import static org.assertj.core.api.Assertions.assertThat;

/** Bytes that nobody should have sent, and what must hold whatever they are. */
final class Hostile {

    /** What memory a reader may take beyond a multiple of its input: an error, a digest, the first tables. */
    private static final long ALLOWANCE = 64 << 10;
    private static final Set<Kind> COMPACT = EnumSet.of(Kind.MALFORMED, Kind.UNSUPPORTED_VERSION, Kind.LIMIT);
    private static final Set<Kind> JSON = EnumSet.of(Kind.MALFORMED, Kind.UNSUPPORTED_LAYOUT, Kind.LIMIT);

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Hostile() {}

    /**
     * Reads the bytes: whatever they are, the answer is a blockset that is the same after it is written and read again,
     * or an error that says what is wrong with them.
     *
     * @return whether they were read
     */
    static boolean decode(byte[] bytes) {
        Optional<Blockset> blockset = refusedOrRead(bytes, BlocksetCodec::decode, COMPACT);
        blockset.ifPresent(value -> assertThat(BlocksetCodec.decode(BlocksetCodec.encode(value))).isEqualTo(value));
        return blockset.isPresent();
    }

    /** {@link #decode} for the reference's form. */
    static boolean readJson(byte[] bytes) {
        Optional<Blockset> blockset = refusedOrRead(bytes, BlocksetJson::read, JSON);
        blockset.ifPresent(value -> assertThat(BlocksetJson.read(BlocksetJson.write(value))).isEqualTo(value));
        return blockset.isPresent();
    }

    /**
     * Reads the bytes as a control message, of whichever direction: whatever they are, the answer is a message of which
     * they are the only form, but for the version of their writer and what is not shown of a reason, or an error that
     * says what is wrong with them.
     *
     * @return whether they were read
     */
    static boolean readControl(byte[] bytes) {
        Optional<PeerRequest> request = refusedOrRead(bytes, ControlCodec::decodeRequest, COMPACT);
        request.ifPresent(value -> assertThat(ControlCodec.encode(value)).isEqualTo(ofVersion1(bytes)));
        Optional<PeerAnswer> answer = refusedOrRead(bytes, ControlCodec::decodeAnswer, COMPACT);
        answer.ifPresent(value -> {
            byte[] written = ControlCodec.encode(value);
            if (value instanceof PeerAnswer.Refused) {
                assertThat(ControlCodec.decodeAnswer(written)).isEqualTo(value);
            } else {
                assertThat(written).isEqualTo(ofVersion1(bytes));
            }
        });
        assertThat(request.isPresent() && answer.isPresent()).as("both a request and an answer").isFalse();
        return request.isPresent() || answer.isPresent();
    }

    private static byte[] ofVersion1(byte[] message) {
        return ByteBuffer.wrap(message.clone()).putShort(8, (short) 1).array();
    }

    /**
     * Requires that the memory it takes to read the bytes is bounded by their number. The virtual machine allocates in
     * this thread too, now and then once and more than that, as it links or compiles a call: the least of three readings
     * counts.
     */
    static void requireFrugal(byte[] bytes, Function<byte[], ?> reader, int perByte) {
        long allowed = ALLOWANCE + (long) bytes.length * perByte;
        long allocated = allocated(bytes, reader);
        for (int i = 0; i < 2 && allocated > allowed; i++) {
            allocated = allocated(bytes, reader);
        }
        assertThat(allocated).as("bytes allocated for %s bytes of input", bytes.length).isLessThanOrEqualTo(allowed);
    }

    private static long allocated(byte[] bytes, Function<byte[], ?> reader) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        try {
            var _ = reader.apply(bytes);
        } catch (RemoteException _) {
            // what it is refused with is looked at elsewhere
        }
        return THREADS.getCurrentThreadAllocatedBytes() - before;
    }

    private static <T> Optional<T> refusedOrRead(byte[] bytes, Function<byte[], T> reader, Set<Kind> kinds) {
        try {
            return Optional.of(reader.apply(bytes));
        } catch (RemoteException e) {
            assertThat(kinds).as("refused with %s", e).contains(e.kind());
            return Optional.empty();
        }
    }

    /** The document with its length and digest made right, so that what lies behind those checks is reached. */
    static byte[] sealed(byte[] document) {
        byte[] sealed = document.clone();
        if (sealed.length >= 48) {
            ByteBuffer.wrap(sealed).putInt(12, sealed.length);
            try {
                MessageDigest digest = MessageDigest.getInstance("SHA-256");
                digest.update(sealed, 0, sealed.length - 32);
                System.arraycopy(digest.digest(), 0, sealed, sealed.length - 32, 32);
            } catch (NoSuchAlgorithmException e) {
                throw new AssertionError(e);
            }
        }
        return sealed;
    }

    /** A text of the reference's form, of which the only block set is given as these bytes. */
    static byte[] embedded(byte[] layout) {
        String numbers = IntStream.range(0, layout.length)
                .mapToObj(i -> Integer.toString(Byte.toUnsignedInt(layout[i])))
                .collect(Collectors.joining(","));
        return ("{\"block_sets\":{\"1\":[" + numbers + "]},\"nixl_metadata\":[],\"worker_id\":1}")
                .getBytes(StandardCharsets.UTF_8);
    }

    /** One to four changes of these bytes: bits, numbers at the edges, pieces cut, doubled or taken from elsewhere. */
    static byte[] mutated(byte[] bytes, byte[] other, Random random) {
        byte[] mutated = bytes;
        for (int i = random.nextInt(4); i >= 0; i--) {
            mutated = mutatedOnce(mutated, other, random);
        }
        return mutated;
    }

    private static byte[] mutatedOnce(byte[] bytes, byte[] other, Random random) {
        if (bytes.length == 0) {
            return other;
        }
        byte[] changed = bytes.clone();
        int at = random.nextInt(bytes.length);
        switch (random.nextInt(7)) {
            case 0 -> changed[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> changed[at] = (byte) random.nextInt(256);
            case 2 -> edge(changed, at, random);
            case 3 -> changed = Arrays.copyOf(bytes, at);
            case 4 -> changed = spliced(bytes, at, bytes, random);
            case 5 -> changed = spliced(bytes, at, other, random);
            default -> changed = without(bytes, at, 1 + random.nextInt(64));
        }
        return changed;
    }

    private static void edge(byte[] bytes, int at, Random random) {
        long[] edges = {0, 1, -1, 127, 128, 255, 256, 4096, 4097, 0xffff, Integer.MAX_VALUE, Integer.MIN_VALUE,
            0xffffffffL, Long.MAX_VALUE, Long.MIN_VALUE};
        long value = edges[random.nextInt(edges.length)];
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        int room = bytes.length - at;
        int width = 1 << random.nextInt(4);
        if (width == 8 && room >= 8) {
            buffer.putLong(at, value);
        } else if (width == 4 && room >= 4) {
            buffer.putInt(at, (int) value);
        } else if (width == 2 && room >= 2) {
            buffer.putShort(at, (short) value);
        } else {
            buffer.put(at, (byte) value);
        }
    }

    private static byte[] spliced(byte[] bytes, int at, byte[] source, Random random) {
        if (source.length == 0) {
            return bytes;
        }
        int from = random.nextInt(source.length);
        int length = 1 + random.nextInt(Math.min(source.length - from, 256));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(bytes, 0, at);
        out.write(source, from, length);
        out.write(bytes, at, bytes.length - at);
        return out.toByteArray();
    }

    private static byte[] without(byte[] bytes, int at, int length) {
        int end = Math.min(bytes.length, at + length);
        byte[] shorter = new byte[bytes.length - (end - at)];
        System.arraycopy(bytes, 0, shorter, 0, at);
        System.arraycopy(bytes, end, shorter, at, bytes.length - end);
        return shorter;
    }

}
