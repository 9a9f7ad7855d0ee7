package io.kvbm.simulation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLinks;
import io.kvbm.remote.PeerRequest;

/** Carries questions and answers, as bytes, between workers: loses, delays, doubles and reorders them. */
final class Network {

    private static final Duration PATIENCE = Duration.ofMillis(500);

    private final Simulation world;
    private final Stranger stranger;
    private final Map<String, Life> listening = new HashMap<>();
    private final Set<String> cut = new HashSet<>();
    private final List<Letter> late = new ArrayList<>();

    Network(Simulation world) {
        this.world = world;
        this.stranger = new Stranger(world.random);
    }

    /**
     * A question that is still under way.
     *
     * @param to the address
     * @param question its bytes
     */
    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    private record Letter(String to, byte[] question) {}

    void listen(String address, Life life) {
        listening.put(address, life);
    }

    /** The ways from an address. */
    PeerLinks links(String from) {
        return to -> question -> ask(from, to, ControlCodec.encode(question));
    }

    /** Cuts one direction, or mends it. */
    void toggle(String from, String to) {
        if (!cut.add(from + ">" + to)) {
            cut.remove(from + ">" + to);
        }
    }

    void mend() {
        cut.clear();
        late.clear();
    }

    private PeerAnswer ask(String from, String to, byte[] question) {
        world.meanwhile();
        Faults faults = world.faults();
        Life life = listening.get(to);
        if (to.equals(Stranger.ADDRESS)) {
            return ControlCodec.decodeAnswer(stranger.answer());
        }
        if (life == null || !life.isThere()) {
            throw new RemoteException(RemoteException.Kind.TRANSPORT, "Nobody listens at " + to);
        }
        if (life.isPaused() || cut.contains(from + ">" + to) || world.chance(faults.lost())) {
            throw timeout(to);
        }
        if (world.chance(faults.late())) {
            late.add(new Letter(to, question));
            throw timeout(to);
        }
        byte[] answer = deliver(life, question);
        if (world.chance(faults.twice())) {
            if (world.chance(0.5)) {
                late.add(new Letter(to, question));
            } else {
                byte[] second = deliver(life, question);
                answer = world.chance(0.5) ? answer : second;
            }
        }
        world.meanwhile();
        if (answer == null || cut.contains(to + ">" + from) || world.chance(faults.lost())) {
            throw timeout(to);
        }
        stranger.overhear(answer);
        return ControlCodec.decodeAnswer(answer);
    }

    private RemoteException timeout(String to) {
        world.pass(PATIENCE);
        return new RemoteException(RemoteException.Kind.DEADLINE, "No answer from " + to + " in " + PATIENCE);
    }

    /** Has a question answered; null where a copy has begun that takes longer than the asker waits. */
    private byte @Nullable [] deliver(Life life, byte[] question) {
        PeerRequest request = ControlCodec.decodeRequest(question);
        AtomicReference<@Nullable PeerAnswer> answer = new AtomicReference<>();
        Runnable work = () -> life.busyWith(() -> answer.set(life.answer(request)));
        if (request instanceof PeerRequest.Pull && world.chance(0.3)) {
            world.errands.run(work);
        } else {
            work.run();
        }
        PeerAnswer given = answer.get();
        return given == null ? null : ControlCodec.encode(given);
    }

    /** Delivers one of the questions that are late, whoever listens at its address by now. */
    void deliverLate() {
        if (!late.isEmpty()) {
            Letter letter = late.remove(world.random.nextInt(late.size()));
            Life life = listening.get(letter.to());
            if (life != null && life.isThere() && !life.isPaused()) {
                var _ = deliver(life, letter.question());
            }
        }
    }
}
