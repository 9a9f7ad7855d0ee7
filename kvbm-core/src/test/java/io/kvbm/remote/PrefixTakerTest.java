package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.storage.CacheLevel;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;

import static org.assertj.core.api.Assertions.assertThat;

/** A pool that is full of what nobody holds, and an index that proposes what another worker has. */
@EnabledOnOs(OS.LINUX)
class PrefixTakerTest {

    private static final int BLOCKS = 4;
    private static final int WORDS = 16;
    private static final IdentityChain WANTED = SharedPool.chain(1, BLOCKS);

    private final SharedPool own = SharedPool.of(1, 1, BLOCKS, WORDS);
    private final SharedPool other = SharedPool.of(7, 1, BLOCKS, WORDS);
    private final BlockList<ImmutableBlock> held = other.register(WANTED, 0, BLOCKS);
    private final Peers peers = new Peers(own.worker, PeerLimits.DEFAULT, MonotonicClock.SYSTEM,
            PeerMemory.sameHost(ChecksumMode.OFF));
    private final PeerIndex index = new PeerIndex(4, 64, 1);
    private final List<String> seen = new ArrayList<>();
    private final PrefixTaker taker = new PrefixTaker(peers, index,
            (_, blocks) -> (arrived, _) -> seen.add(arrived + " of " + blocks));

    PrefixTakerTest() {
        own.register(SharedPool.chain(2, BLOCKS), 0, BLOCKS).close();
        SlotChanges changes = new SlotChanges();
        for (int i = 0; i < BLOCKS; i++) {
            changes.stored(held.get(i).index(), held.get(i).generation(), WANTED.probe(i));
        }
        IndexedPeer holder = index.open(7, 1, List.of(new IndexedLevel(CacheLevel.G2, SharedPool.SET, BLOCKS)));
        index.apply(holder, Objects.requireNonNull(holder.level(CacheLevel.G2)), changes);
    }

    @AfterEach
    void close() {
        peers.close();
        held.close();
        other.close();
        own.close();
    }

    private int taken() {
        return taker.takeInto(own.pool, WANTED, 0, BLOCKS, control());
    }

    private static TransferControl control() {
        return new TransferControl(MonotonicClock.SYSTEM, Duration.ofSeconds(10));
    }

    @Test
    void roomIsMadeForWhatAHolderHas() {
        var _ = peers.importBlockset(other.blockset(), null);
        assertThat(taken()).isEqualTo(BLOCKS);
        assertThat(own.pool.stats().evictions()).isEqualTo(BLOCKS);
        assertThat(own.pool.stats().inactive()).isEqualTo(BLOCKS);
        assertThat(seen).containsExactly("4 of 4");
    }

    @Test
    void whatHasBeenTakenIsNotDroppedForTheRest() {
        try (SharedPool small = SharedPool.of(2, 1, BLOCKS / 2, WORDS)) {
            var _ = peers.importBlockset(other.blockset(), null);
            assertThat(taker.takeInto(small.pool, WANTED, 0, BLOCKS, control())).isEqualTo(BLOCKS / 2);
            try (BlockList<ImmutableBlock> found = small.pool.matchBlocks(WANTED, 0, BLOCKS)) {
                assertThat(found).hasSize(BLOCKS / 2);
            }
        }
    }

    @Test
    void whereTheHolderHasVanishedNothingIsDroppedAndNothingHasArrived() {
        assertThat(taken()).isZero();
        assertThat(own.pool.stats().evictions()).isZero();
        assertThat(seen).containsExactly("0 of 4");
    }

    @Test
    void whereTheHolderIsLeavingNothingIsDropped() {
        var _ = peers.importBlockset(other.blockset(), null);
        peers.leave(7);
        assertThat(taken()).isZero();
        assertThat(own.pool.stats().evictions()).isZero();
        assertThat(taker.stats().refused()).isEqualTo(BLOCKS);
        assertThat(seen).isEmpty();
    }

    @Test
    void ofBlocksThatTheHolderHasReusedInPartTheFirstOnesArrive() {
        var _ = peers.importBlockset(other.blockset(), null);
        held.getLast().close();
        other.reuse(1);
        assertThat(taken()).isEqualTo(BLOCKS - 1);
        assertThat(seen.getFirst()).isEqualTo("3 of 4");
    }
}
