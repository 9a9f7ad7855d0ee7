package io.kvbm.pool;

import java.util.List;
import java.util.OptionalLong;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.event.EventSink;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.Cleared;
import io.kvbm.event.KvEvent.Removed;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.Stored;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.TokenBlock;

import static io.kvbm.pool.Content.blocks;
import static io.kvbm.pool.Content.hashes;
import static io.kvbm.pool.Content.register;
import static io.kvbm.pool.RecordedEvents.removed;
import static io.kvbm.pool.RecordedEvents.stored;
import static org.assertj.core.api.Assertions.assertThat;

/** What leaves the pool as events, in which order and in which batches; all is asked right after the call. */
class PoolEventsTest {

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();
    private final RecordedEvents events = new RecordedEvents();

    private BlockPool pool(int blocks) {
        return subject.track(PoolSubject.builder(blocks, 4).events(events));
    }

    @Test
    @DisplayName("T8, T9 one registration is one stored event, its eviction one removed event behind it")
    void storedThenRemoved() {
        BlockPool pool = pool(1);
        TokenBlock block = blocks(1, 1).getFirst();
        BlockList<ImmutableBlock> held = register(pool, List.of(block));
        assertThat(events.take()).containsExactly(new Stored(CacheLevel.G2, 4, List
                .of(new StoredBlock(block.sequenceHash(), block.blockHash(), OptionalLong.empty(), 0,
                        block.sequenceHash(), 0, 0))));
        held.close();
        assertThat(events.take()).isEmpty();
        pool.allocateBlocks(1).close();
        assertThat(events.take())
                .containsExactly(new Removed(CacheLevel.G2, List.of(new RemovedBlock(block.sequenceHash(), 0))));
        BlockList<ImmutableBlock> again = register(pool, List.of(block));
        assertThat(((Stored) events.take().getFirst()).blocks().getFirst().generation()).isEqualTo(1);
        again.close();
    }

    @Test
    @DisplayName("T10, EVT-5 a call stores one batch in the order of the request, with parents and positions")
    void oneBatchPerCallInTheOrderOfTheRequest() {
        BlockPool pool = pool(4);
        List<TokenBlock> chain = blocks(1, 3);
        register(pool, chain).close();
        KvEvent event = events.take().getFirst();
        assertThat(((Stored) event).blocks()).containsExactly(
                new StoredBlock(chain.get(0).sequenceHash(), chain.get(0).blockHash(), OptionalLong.empty(), 0,
                        chain.get(0).sequenceHash(), 0, 0),
                new StoredBlock(chain.get(1).sequenceHash(), chain.get(1).blockHash(),
                        OptionalLong.of(chain.get(0).sequenceHash()), 1, chain.get(1).sequenceHash(), 1, 0),
                new StoredBlock(chain.get(2).sequenceHash(), chain.get(2).blockHash(),
                        OptionalLong.of(chain.get(1).sequenceHash()), 2, chain.get(2).sequenceHash(), 2, 0));
        TokenBlock orphan = blocks(500, 2).get(1);
        register(pool, List.of(orphan)).close();
        assertThat(((Stored) events.take().getLast()).blocks()).singleElement()
                .satisfies(block -> {
                    assertThat(block.position()).isEqualTo(StoredBlock.UNKNOWN_POSITION);
                    assertThat(block.parentHash()).hasValue(blocks(500, 1).getFirst().sequenceHash());
                });
    }

    @ParameterizedTest
    @EnumSource
    void chainIsStoredWithTheHashesThatRoutersKnow(IdentityKind kind) {
        BlockPool pool = subject.track(PoolSubject.builder(4, 4).identity(kind).events(events));
        IdentityChain chain = Content.chain(kind, 0, 4);
        pool.registerBlocks(pool.allocateBlocks(1), chain, 0).close();
        pool.registerBlocks(pool.allocateBlocks(2), chain, 1).close();
        List<KvEvent> seen = events.take();
        assertThat(stored(seen.get(0))).containsExactly(chain.sequenceHash(0));
        assertThat(((Stored) seen.get(1)).blocks()).containsExactly(
                new StoredBlock(chain.sequenceHash(1), chain.blockHash(1), OptionalLong.of(chain.sequenceHash(0)), 1,
                        chain.probe(1), 1, 0),
                new StoredBlock(chain.sequenceHash(2), chain.blockHash(2), OptionalLong.of(chain.sequenceHash(1)), 2,
                        chain.probe(2), 2, 0));
        pool.allocateBlocks(4).close();
        assertThat(removed(events.take().getFirst())).containsExactly(chain.sequenceHash(2), chain.sequenceHash(1),
                chain.sequenceHash(0));
    }

    @Test
    @DisplayName("T11 a call that registers nothing new publishes nothing")
    void nothingNewIsNotPublished() {
        BlockPool pool = pool(4);
        List<TokenBlock> chain = blocks(1, 2);
        BlockList<ImmutableBlock> held = register(pool, chain);
        events.take();
        register(pool, chain).close();
        pool.registerBlocks(List.of()).close();
        pool.matchSequenceHashes(hashes(chain)).close();
        pool.matchSequenceHashes(1).close();
        held.close();
        assertThat(events.take()).isEmpty();
    }

    @Test
    @DisplayName("T12 a registration is published once, a second one of the same content again after its removal")
    void contentThatComesBackIsStoredAgain() {
        BlockPool pool = pool(1);
        List<TokenBlock> one = blocks(1, 1);
        for (int round = 0; round < 3; round++) {
            register(pool, one).close();
            List<KvEvent> seen = events.take();
            assertThat(seen).hasSize(1);
            assertThat(stored(seen.getFirst())).containsExactly(one.getFirst().sequenceHash());
            pool.allocateBlocks(1).close();
            assertThat(removed(events.take().getFirst())).containsExactly(hashes(one)[0]);
        }
    }

    @Test
    @DisplayName("EVT-6 what one allocation evicts is one batch in the order of eviction")
    void evictionsOfOneCallAreOneBatch() {
        BlockPool pool = pool(4);
        List<TokenBlock> chain = blocks(1, 3);
        register(pool, chain).close();
        events.take();
        try (BlockList<MutableBlock> _ = pool.allocateBlocks(3)) {
            assertThat(events.take()).containsExactly(new Removed(CacheLevel.G2, List.of(
                    new RemovedBlock(chain.get(2).sequenceHash(), 2),
                    new RemovedBlock(chain.get(1).sequenceHash(), 1))));
        }
    }

    @Test
    @DisplayName("EVT-6 close removes inactive blocks in one batch, held ones when they are released")
    void closeRemovesWhatIsStored() {
        BlockPool pool = pool(5);
        List<TokenBlock> inactive = blocks(1, 2);
        List<TokenBlock> heldContent = blocks(100, 2);
        register(pool, inactive).close();
        BlockList<ImmutableBlock> held = register(pool, heldContent);
        ImmutableBlock share = held.getFirst().share();
        events.take();
        pool.close();
        assertThat(events.take()).singleElement()
                .satisfies(event -> assertThat(removed(event))
                        .containsExactlyInAnyOrder(hashes(inactive)[0], hashes(inactive)[1]));
        held.close();
        assertThat(removed(events.take().getFirst())).containsExactly(heldContent.get(1).sequenceHash());
        share.close();
        assertThat(removed(events.take().getFirst())).containsExactly(heldContent.get(0).sequenceHash());
        assertThat(pool.stats().free()).isEqualTo(5);
    }

    @Test
    void clearIsOneEventAndNothingIsRemovedAfterwards() {
        BlockPool pool = pool(5);
        List<TokenBlock> chain = blocks(1, 2);
        register(pool, chain).close();
        List<TokenBlock> heldContent = blocks(100, 1);
        BlockList<ImmutableBlock> held = register(pool, heldContent);
        events.take();
        assertThat(pool.clear()).isEqualTo(3);
        assertThat(events.take()).containsExactly(new Cleared(CacheLevel.G2));
        assertThat(pool.matchSequenceHashes(hashes(chain))).isEmpty();
        assertThat(pool.matchSequenceHashes(hashes(heldContent))).isEmpty();
        assertThat(held.getFirst().sequenceHash()).isEqualTo(hashes(heldContent)[0]);
        assertThat(held.getFirst().generation()).isEqualTo(1);
        assertThat(pool.stats().unlisted()).isEqualTo(1);
        BlockList<ImmutableBlock> again = register(pool, heldContent);
        assertThat(again.getFirst().index()).isNotEqualTo(held.getFirst().index());
        again.close();
        events.take();
        held.close();
        assertThat(events.take()).isEmpty();
        pool.allocateBlocks(5).close();
        assertThat(removed(events.take().getFirst())).containsExactly(hashes(heldContent)[0]);
    }

    @Test
    void sinkThatWantsNothingGetsNothing() {
        RecordedEvents none = new RecordedEvents();
        BlockPool pool = subject.track(PoolSubject.builder(1, 4).events(new EventSink() {
            @Override
            public void publish(KvEvent event) {
                none.publish(event);
            }

            @Override
            public boolean wanted() {
                return false;
            }
        }));
        register(pool, blocks(1, 1)).close();
        pool.allocateBlocks(1).close();
        register(pool, blocks(9, 1)).close();
        pool.clear();
        register(pool, blocks(9, 1)).close();
        pool.close();
        assertThat(none.take()).isEmpty();
    }

    @Test
    void aSinkThatThrowsLosesItsEventsAndNoBlock() {
        BlockPool pool = subject.track(PoolSubject.builder(2, 4).events(_ -> {
            throw new IllegalStateException("full");
        }));
        register(pool, blocks(1, 2)).close();
        pool.allocateBlocks(2).close();
        register(pool, blocks(9, 2)).close();
        assertThat(pool.clear()).isEqualTo(2);
        assertThat(pool.availableBlocks()).isEqualTo(2);
    }
}
