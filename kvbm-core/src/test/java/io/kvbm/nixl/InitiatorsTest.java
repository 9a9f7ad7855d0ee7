package io.kvbm.nixl;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.PinList;
import io.kvbm.error.NixlException;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/** An agent is given up, and for a while no other can be made, as where the network is out. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
@Timeout(60)
class InitiatorsTest {

    private static final int BLOCKS = 8;
    private static final Duration PATIENCE = Duration.ofMillis(200);

    private final BlockMemory memory = BlockMemory.allocate(
            LayoutConfig.builder().numBlocks(BLOCKS).numLayers(1).pageSize(4).innerDim(16).build(),
            LayoutType.FULLY_CONTIGUOUS, HostAllocator.create());
    private final BlockPool pool = BlockPool.builder(new BlockSet(memory, 1, 1, CacheLevel.G2)).build();
    private final AtomicBoolean isOut = new AtomicBoolean();
    private final AtomicInteger attempts = new AtomicInteger();
    private final Initiators initiators = new Initiators(this::make, PATIENCE);

    private Initiator make(int number) {
        attempts.incrementAndGet();
        if (isOut.get()) {
            throw new NixlException(NixlException.Kind.SETUP_FAILED, "nixl_capi_create_backend", null, "no network");
        }
        NixlAgent agent = InstalledNixl.library().createAgent(NixlAgentConfig.of("initiators-test#" + number));
        return new Initiator(agent, agent.createBackend("UCX"));
    }

    @AfterEach
    void close() {
        initiators.close();
        assertThat(pool.stats().holders()).isZero();
        pool.close();
    }

    /** The agent in use holds a block of which it is not known whether it is written still. */
    private Initiator doubt() {
        Initiator used = initiators.current();
        try (BlockList<MutableBlock> block = pool.allocateBlocks(1)) {
            used.hold(PinList.of(block));
        }
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS - 1);
        return used;
    }

    private void awaitGivenUp() {
        await().until(() -> {
            initiators.look();
            return initiators.inDoubt() == 0;
        });
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
    }

    @Test
    void whatItHeldIsFreeThoughNoOtherCanBeMadeAndThenThereIsOne() {
        Initiator given = doubt();
        isOut.set(true);
        awaitGivenUp();
        assertThat(given.isClosed()).isTrue();
        assertThatExceptionOfType(RemoteException.class).isThrownBy(initiators::current)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(RemoteException.Kind.BUSY));
        await().until(() -> attempts.get() > 2);
        isOut.set(false);
        await().ignoreException(RemoteException.class)
                .untilAsserted(() -> assertThat(initiators.current()).isNotSameAs(given));
    }

    @Test
    void closingWhileNoneCanBeMadeEnds() {
        doubt();
        isOut.set(true);
        awaitGivenUp();
        initiators.close();
        int before = attempts.get();
        await().pollDelay(Duration.ofSeconds(2)).untilAsserted(() -> assertThat(attempts).hasValue(before));
    }

    @Test
    void oneThatHoldsNothingIsKept() {
        Initiator used = initiators.current();
        await().pollDelay(PATIENCE.multipliedBy(3)).untilAsserted(() -> {
            initiators.look();
            assertThat(initiators.current()).isSameAs(used);
        });
        assertThat(attempts).hasValue(1);
    }

    @Test
    void whatIsToBeDoneByOneThatHasEndedIsDoneAndFindsItClosed() {
        Initiator used = initiators.current();
        used.stop();
        assertThat(used.awaitStop(Duration.ofSeconds(20))).isTrue();
        AtomicBoolean done = new AtomicBoolean();
        used.execute(() -> done.set(true));
        assertThat(done).isTrue();
    }
}
