package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import io.kvbm.error.RemoteException.Kind;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;

import static org.assertj.core.api.Assertions.assertThat;

/** What is fetched of a worker whose 16 slots are told in parts of 4. */
class PeerFeedsTest {

    private static final long OURS = 1;
    private static final long ID = -7; // unsigned
    private static final long EPOCH = 5;
    private static final IdentityChain CHAIN = Owner.chain(0, 3);

    private final PeerIndex index = new PeerIndex(4, 1 << 10, 17);
    private final PeerFeeds feeds = new PeerFeeds(
            new LocalWorker(OURS, 1, SharedPool.FINGERPRINT, Map.of()), index);
    private final Owner owner = new Owner(ID, EPOCH, 8, 8, 64, 8, 4);
    private final List<PeerRequest> asked = new ArrayList<>();
    private final PeerRun run = new PeerRun(3);
    private final List<SharedPool> workers = new ArrayList<>();
    private final List<Peer> peers = new ArrayList<>();

    @BeforeEach
    void register() throws InterruptedException {
        BlockPool host = owner.pools.get(1);
        host.registerBlocks(host.allocateBlocks(3), CHAIN, 0).close();
        owner.settle();
    }

    @AfterEach
    void close() {
        peers.forEach(Peer::drop);
        workers.forEach(SharedPool::close);
        owner.close();
    }

    private Peer peer(long epoch) {
        return peer(epoch, new ManualClock());
    }

    private Peer peer(long epoch, ManualClock clock) {
        SharedPool worker = SharedPool.of(ID, epoch, 8, 16);
        workers.add(worker);
        PeerMemory memory = PeerMemory.sameHost(ChecksumMode.OFF).open(worker.blockset()).orElseThrow();
        Peer peer = new Peer(worker.blockset(), "digest", true, memory, null, null, PeerLimits.DEFAULT, clock,
                new PeerCounters());
        peers.add(peer);
        return peer;
    }

    private PeerAnswer answer(PeerRequest request) {
        asked.add(request);
        PeerRequest.Events events = (PeerRequest.Events) request;
        return new PeerAnswer.Events(EventFrameCodec.encode(owner.journal.page(events.epoch(), events.from())));
    }

    private int proposed() {
        return index.prefix(CHAIN, 0, 3, run);
    }

    @Test
    void noMorePagesAreFetchedInOneGoThanAreAskedFor() {
        feeds.follow(peer(EPOCH), this::answer, 2);
        assertThat(asked).hasSize(2);
        assertThat(proposed()).as("the blocks are told of in the parts behind").isZero();
        feeds.follow(peer(EPOCH), this::answer, 1);
        assertThat(proposed()).isEqualTo(3);
        assertThat(asked).hasSize(3);
    }

    @Test
    void noMorePagesAreFetchedThanHaveNews() {
        feeds.follow(peer(EPOCH), this::answer, 100);
        assertThat(asked).as("four parts, and that there is nothing new").hasSize(5);
        feeds.follow(peer(EPOCH), this::answer, 100);
        assertThat(asked).hasSize(6);
        assertThat(proposed()).isEqualTo(3);
    }

    @Test
    void whatAForgottenWorkerHoldsIsProposedNoMore() {
        feeds.follow(peer(EPOCH), this::answer, 100);
        feeds.forget(2);
        assertThat(proposed()).isEqualTo(3);
        feeds.forget(ID);
        feeds.forget(ID);
        assertThat(proposed()).isZero();
        assertThat(index.stats().holders()).isZero();
    }

    @Test
    void anotherLifeOfAWorkerIsFollowedFromItsBeginningThoughItIsOlder() {
        feeds.follow(peer(EPOCH + 1), _ -> new PeerAnswer.Events(EventFrameCodec
                .encode(new EventFrame.Held(ID, EPOCH + 1, 0, 0, 8, true, List.of()))), 1);
        feeds.follow(peer(EPOCH), this::answer, 100);
        assertThat(proposed()).isEqualTo(3);
        assertThat(run.holder().epoch()).isEqualTo(EPOCH);
    }

    @Test
    void aWorkerThatWasStartedAnewMeanwhileIsDropped() {
        feeds.follow(peer(EPOCH), this::answer, 100);
        feeds.follow(peer(EPOCH), _ -> new PeerAnswer.Events(EventFrameCodec
                .encode(new EventFrame.Events(ID, EPOCH + 1, 0, List.of()))), 100);
        assertThat(proposed()).isZero();
        assertThat(index.stats().holders()).isZero();
    }

    @Test
    void answersThatAreOfNoUseAreRefusedAndChangeNothing() {
        feeds.follow(peer(EPOCH), this::answer, 100);
        Refused.with(Kind.BUSY, () -> feeds.follow(peer(EPOCH),
                _ -> new PeerAnswer.Refused(Kind.BUSY, "not now"), 100));
        for (PeerAnswer garbage : List.of(new PeerAnswer.Done(), new PeerAnswer.Events(new byte[9]),
                new PeerAnswer.Leased(0, new int[0], Duration.ofSeconds(1)))) {
            Refused.with(Kind.MALFORMED, () -> feeds.follow(peer(EPOCH), _ -> garbage, 100));
        }
        assertThat(proposed()).isEqualTo(3);
    }

    @Test
    void aPeerThatIsLeftAloneAfterFailuresIsNotProposedUntilItMayBeTriedAgain() {
        ManualClock clock = new ManualClock();
        Peer peer = peer(EPOCH, clock);
        for (int i = 0; i < PeerLimits.DEFAULT.failures(); i++) {
            peer.begin(1);
            peer.end(1, false);
        }
        feeds.follow(peer, this::answer, 100);
        assertThat(proposed()).isZero();
        clock.pass(PeerLimits.DEFAULT.pause());
        feeds.follow(peer, this::answer, 100);
        assertThat(proposed()).isEqualTo(3);
    }

    @Test
    void aPeerWhoseMemoryIsNotMappedIsFollowedAndNotProposed() {
        Peer far = new Peer(peer(EPOCH).blockset(), "digest", true, null, null, null, PeerLimits.DEFAULT,
                new ManualClock(),
                new PeerCounters());
        feeds.follow(far, this::answer, 100);
        assertThat(index.stats().blocks()).isEqualTo(3);
        assertThat(proposed()).isZero();
    }
}
