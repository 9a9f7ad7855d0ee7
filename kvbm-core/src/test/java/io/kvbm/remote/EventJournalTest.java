package io.kvbm.remote;

import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.event.EventLog;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.CacheLevel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** Which page a journal answers with. */
class EventJournalTest {

    private static final KvEvent CLEARED = new KvEvent.Cleared(CacheLevel.G2);

    private static EventJournal journal(EventLog log, int capacity) {
        return EventJournal.open(1, 7, List.of(), log, capacity);
    }

    private static KvEvent removed(int blocks) {
        return new KvEvent.Removed(CacheLevel.G2,
                IntStream.range(0, blocks).mapToObj(slot -> new RemovedBlock(1, slot)).toList());
    }

    private static void publish(EventJournal journal, EventLog log, KvEvent... events) throws InterruptedException {
        for (KvEvent event : events) {
            log.publish(event);
        }
        assertThat(journal.awaitKept(Duration.ofSeconds(20))).isTrue();
    }

    private static EventFrame nothing(long sequence) {
        return new EventFrame.Held(1, 7, sequence, 0, 0, true, List.of());
    }

    private static EventFrame told(long sequence, KvEvent... events) {
        return new EventFrame.Events(1, 7, sequence, List.of(events));
    }

    @Test
    void eventsAreToldFromTheOneThatIsAskedForAsLongAsTheyAreKept() throws InterruptedException {
        try (EventLog log = new EventLog(); EventJournal journal = journal(log, 4)) {
            assertThat(journal.page(7, 0)).isEqualTo(told(0));
            publish(journal, log, removed(1), removed(2), CLEARED);
            assertThat(journal.page(7, 0)).isEqualTo(told(0, removed(1), removed(2), CLEARED));
            assertThat(journal.page(7, 2)).isEqualTo(told(2, CLEARED));
            assertThat(journal.page(7, 3)).isEqualTo(told(3));
            publish(journal, log, CLEARED, CLEARED);
            assertThat(journal.page(7, 0)).isEqualTo(nothing(5));
            assertThat(journal.page(7, 1)).isEqualTo(told(1, removed(2), CLEARED, CLEARED, CLEARED));
        }
    }

    @Test
    void eventsOfAnotherStartAndThoseThatNobodyPublishedAreAnsweredWithWhatIsHeld() throws InterruptedException {
        try (EventLog log = new EventLog(); EventJournal journal = journal(log, 4)) {
            publish(journal, log, CLEARED);
            assertThat(journal.page(6, 0)).isEqualTo(nothing(1));
            assertThat(journal.page(7, 2)).isEqualTo(nothing(1));
            assertThat(journal.page(7, Long.MAX_VALUE)).isEqualTo(nothing(1));
            assertThat(journal.page(7, EventFrame.held(0))).isEqualTo(nothing(1));
            assertThat(journal.page(7, Long.MIN_VALUE)).isEqualTo(nothing(1));
        }
    }

    @Test
    void whatWasPublishedBeforeTheJournalWasOpenedIsNotKept() throws InterruptedException {
        try (EventLog log = new EventLog()) {
            log.publish(CLEARED);
            try (EventJournal journal = journal(log, 4)) {
                publish(journal, log, removed(1));
                assertThat(journal.page(7, 0)).isEqualTo(nothing(2));
                assertThat(journal.page(7, 1)).isEqualTo(told(1, removed(1)));
            }
        }
    }

    @Test
    void pageHasAsManyEventsAsThereIsRoomFor() throws InterruptedException {
        KvEvent large = removed(EventFrame.MAX_EVENT_BLOCKS - 1);
        try (EventLog log = new EventLog(); EventJournal journal = journal(log, 8)) {
            publish(journal, log, large, removed(1), removed(1), large);
            assertThat(journal.page(7, 0)).isEqualTo(told(0, large, removed(1)));
            assertThat(journal.page(7, 2)).isEqualTo(told(2, removed(1), large));
        }
        try (EventLog log = new EventLog();
                EventJournal journal = EventJournal.open(1, 7, List.of(), log, 8, 2, 1)) {
            publish(journal, log, CLEARED, CLEARED, CLEARED);
            assertThat(journal.page(7, 0)).isEqualTo(told(0, CLEARED, CLEARED));
        }
    }

    @Test
    void eventThatNoPageHasRoomForIsLostWithThoseBefore() throws InterruptedException {
        try (EventLog log = new EventLog(); EventJournal journal = journal(log, 8)) {
            publish(journal, log, CLEARED, removed(EventFrame.MAX_EVENT_BLOCKS + 1), removed(1));
            assertThat(journal.page(7, 0)).isEqualTo(nothing(3));
            assertThat(journal.page(7, 1)).isEqualTo(nothing(3));
            assertThat(journal.page(7, 2)).isEqualTo(told(2, removed(1)));
        }
    }

    @Test
    void blocksOfAllEventsThatAreKeptAreBounded() throws InterruptedException {
        KvEvent large = removed(EventFrame.MAX_EVENT_BLOCKS);
        try (EventLog log = new EventLog(); EventJournal journal = journal(log, 1 << 10)) {
            for (int i = 0; i < 4; i++) {
                publish(journal, log, large);
            }
            assertThat(journal.page(7, 0)).isEqualTo(told(0, large));
            publish(journal, log, removed(1));
            assertThat(journal.page(7, 0)).isEqualTo(nothing(5));
            assertThat(journal.page(7, 1)).isEqualTo(told(1, large));
        }
    }

    @Test
    void eventsThatTheLogHasLostAreAnsweredWithWhatIsHeld() throws InterruptedException {
        try (EventLog log = new EventLog(1); EventJournal journal = journal(log, 1 << 14)) {
            KvEvent[] events = new KvEvent[10_000];
            for (int i = 0; i < events.length; i++) {
                events[i] = CLEARED;
            }
            publish(journal, log, events);
            assertThat(journal.page(7, 0)).isEqualTo(nothing(10_000));
            assertThat(journal.page(7, 10_000)).isEqualTo(told(10_000));
            publish(journal, log, removed(3));
            assertThat(journal.page(7, 10_000)).isEqualTo(told(10_000, removed(3)));
        }
    }

    @Test
    void whatIsHeldIsToldInPartsThatRunOverTheLevels() {
        try (Owner owner = new Owner(1, 7, 5, 6, 8, 8, 4)) {
            owner.pools.forEach(pool -> pool.registerBlocks(pool.allocateBlocks(4), Owner.chain(0, 4), 0).close());
            EventFrame.Held middle = (EventFrame.Held) owner.journal.page(7, EventFrame.held(3));
            assertThat(middle).extracting(EventFrame.Held::from, EventFrame.Held::to, EventFrame.Held::last,
                    EventFrame.Held::sequence).containsExactly(3L, 7L, false, 2L);
            assertThat(middle.levels()).extracting(HeldBlocks::level).containsExactly(CacheLevel.G1, CacheLevel.G2);
            assertThat(middle.levels()).extracting(HeldBlocks::size).containsExactly(1, 2);
            assertThat(middle.levels().getLast().slot(1)).isEqualTo(1);
            EventFrame.Held last = (EventFrame.Held) owner.journal.page(7, EventFrame.held(7));
            assertThat(last).extracting(EventFrame.Held::to, EventFrame.Held::last).containsExactly(11L, true);
            assertThat(owner.journal.page(7, EventFrame.held(99)))
                    .isEqualTo(new EventFrame.Held(1, 7, 2, 11, 11, true, List.of()));
        }
    }

    @Test
    void closedJournalAndClosedPoolsAnswerNothing() {
        try (EventLog log = new EventLog(); Owner owner = new Owner(1, 7, 5, 6, 8, 8, 4)) {
            EventJournal journal = journal(log, 8);
            journal.close();
            journal.close();
            assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> journal.page(7, 0))
                    .withMessageContaining("journal of worker 1");
            assertThat(log.wanted()).isFalse();
            owner.pools.forEach(BlockPool::close);
            assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> owner.journal.page(7, -1));
        }
    }

    @Test
    void capacityIsAPowerOfTwo() {
        try (EventLog log = new EventLog()) {
            assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> journal(log, 0));
            assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> journal(log, 12));
            assertThat(log.wanted()).isFalse();
        }
    }
}
