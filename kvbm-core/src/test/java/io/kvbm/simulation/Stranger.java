package io.kvbm.simulation;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

import io.kvbm.error.RemoteException;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.token.ContentFingerprint;

/**
 * Listens at an address of the catalog and answers with anything: what others have answered to other questions, the same
 * with a few bits flipped, or noise. It cannot pose as a worker that is there, which whoever carries the questions makes
 * sure of.
 */
final class Stranger {

    static final String ADDRESS = "stranger";

    private static final long ID = 666;

    private final SplittableRandom random;
    private final List<byte[]> heard = new ArrayList<>();

    Stranger(SplittableRandom random) {
        this.random = random;
    }

    void overhear(byte[] answer) {
        if (!(ControlCodec.decodeAnswer(answer) instanceof PeerAnswer.State)) {
            if (heard.size() < 16) {
                heard.add(answer);
            } else {
                heard.set(random.nextInt(heard.size()), answer);
            }
        }
    }

    byte[] answer() {
        return switch (random.nextInt(heard.isEmpty() ? 2 : 4)) {
            case 0 -> noise();
            case 1 -> ControlCodec.encode(new PeerAnswer.State(ID, random.nextLong(),
                    ContentFingerprint.ofBytes(new byte[ContentFingerprint.BYTES]), "0".repeat(64), false));
            case 2 -> heard.get(random.nextInt(heard.size()));
            default -> flipped(heard.get(random.nextInt(heard.size())).clone());
        };
    }

    private byte[] noise() {
        if (random.nextBoolean()) {
            return ControlCodec.encode(new PeerAnswer.Refused(RemoteException.Kind.LIMIT, "no"));
        }
        byte[] bytes = new byte[random.nextInt(200)];
        random.nextBytes(bytes);
        return bytes;
    }

    private byte[] flipped(byte[] answer) {
        for (int i = random.nextInt(4); i >= 0 && answer.length > 0; i--) {
            answer[random.nextInt(answer.length)] ^= (byte) (1 << random.nextInt(8));
        }
        return answer;
    }
}
