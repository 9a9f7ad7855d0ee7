package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Another JVM whose blocks this one takes again and again, while it writes others in their place, is killed. */
@EnabledOnOs(OS.LINUX)
class PeerDiesWhileWeReadTest {

    private static final int DEATHS = 3 * Integer.parseInt(System.getenv().getOrDefault("KVBM_SCALE", "1"));
    private static final int PEER = 7;
    private static final long SEED = 0x5EED;
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final String[] PROPERTIES = {"kvbm.cluster.key=0123456789abcdef0123456789abcdef",
        "kvbm.cluster.dead-after=1s"};

    /** Prompts of more blocks than the peer holds, so that it writes all the time, and far more than the reader does. */
    private static final int PROMPTS = 30;
    private static final int TOKENS = 81;
    private static final int BLOCKS = 512;

    private static int read(Instance reader, int prompt) {
        return reader.reused(KnownKv.prompt(prompt, TOKENS));
    }

    @Test
    void noByteIsWrongAndNothingFailsAndWhatOnlyThePeerHadIsAMiss() throws Exception {
        Random random = new Random(SEED);
        List<Integer> ports = Instance.freePorts(2);
        try (Instance reader = Instance.start(ports.get(0), ports, PROPERTIES);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            long opened = 0;
            for (int death = 0; death < DEATHS; death++) {
                try (ForkedInstance peer = ForkedInstance.start(PEER, ports.get(1), ports,
                        "kvbm.host.blocks=" + BLOCKS, PROPERTIES[0])) {
                    peer.awaitStart();
                    await().atMost(SOON).until(() -> reader.knows(PEER));
                    opened += readUntilItDies(reader, peer, random.nextInt(20_000), threads);
                }
                assertNothingIsLeft(reader);
            }
            System.out.println("PeerDiesWhileWeReadTest: " + DEATHS + " deaths during " + opened + " opens, which took "
                    + reader.peering().taker().stats().taken() + " blocks; reads that ended early: "
                    + reader.peering().stats().misses());
        }
    }

    /** Lets it die after some blocks more were taken from it, and says how many prompts were opened meanwhile. */
    private static long readUntilItDies(Instance reader, ForkedInstance peer, int blocks, ExecutorService threads)
            throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        Future<?> writing = threads.submit(() -> write(peer, over));
        Future<Long> reading = threads.submit(() -> readAgainAndAgain(reader, over));
        try {
            long last = reader.peering().taker().stats().taken() + 1 + blocks;
            await().pollInterval(Duration.ofMillis(1))
                    .atMost(SOON)
                    .until(() -> reading.isDone() || reader.peering().taker().stats().taken() >= last);
            peer.kill();
            await().atMost(SOON).until(() -> reading.isDone() || reader.peering().peers().isEmpty());
        } finally {
            over.set(true);
        }
        writing.get();
        return reading.get();
    }

    private static long readAgainAndAgain(Instance reader, AtomicBoolean over) {
        Random prompts = new Random(SEED);
        long opens = 0;
        for (; !over.get(); opens++) {
            read(reader, prompts.nextInt(PROMPTS));
        }
        return opens;
    }

    /** Has the peer compute, until it is dead. */
    private static void write(ForkedInstance peer, AtomicBoolean over) {
        Random prompts = new Random(SEED);
        try {
            while (!over.get()) {
                peer.answer(prompts.nextInt(PROMPTS), TOKENS);
            }
        } catch (IOException e) { // it is dead
        }
    }

    private static void assertNothingIsLeft(Instance reader) {
        assertThat(reader.peering().index().stats().blocks()).isZero();
        long taken = reader.peering().taker().stats().taken();
        long found = IntStream.range(0, PROMPTS).filter(prompt -> read(reader, prompt) > 0).count();
        assertThat(reader.peering().taker().stats().taken()).isEqualTo(taken);
        assertThat(found).isLessThan(PROMPTS / 2); // those whose blocks are the reader's own by now
    }
}
