package io.kvbm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.LeakReport;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;

/** What JDK Flight Recorder is told while it records. */
class FlightRecorderTest {

    @TempDir
    private Path folder;

    private List<RecordedEvent> recorded(Runnable work) throws IOException {
        Path file = folder.resolve("recorded.jfr");
        try (Recording recording = new Recording()) {
            recording.start();
            work.run();
            recording.stop();
            recording.dump(file);
        }
        return RecordingFile.readAllEvents(file)
                .stream()
                .filter(event -> event.getEventType().getName().startsWith("kvbm."))
                .filter(event -> event.getThread().getJavaName().equals(Thread.currentThread().getName())) // others have leaks
                .toList();
    }

    @Test
    void evictionsAndTransfersAreRecordedAndWhatIsNeitherIsNot() throws IOException {
        try (KvBlockManager manager = KvBlockManager.create(ToyModel.config(4, LayoutType.FULLY_CONTIGUOUS).build())) {
            BlockPool pool = manager.host().orElseThrow();
            List<RecordedEvent> events = recorded(() -> {
                try (KvSequence sequence = manager.open(IntStream.range(0, 12).toArray(), "")) {
                    sequence.computed(12);
                }
                try (var _ = pool.allocateBlocks(1)) {
                    assertThat(pool.stats().evictions()).isZero();
                }
                try (var two = pool.allocateBlocks(2)) {
                    assertThat(pool.stats().evictions()).isEqualTo(1);
                    manager.transfers().execute(TransferRequest.put(two.subList(0, 1), two.subList(1, 2)));
                }
            });
            assertThat(events).hasSize(2);
            RecordedEvent evict = events.getFirst();
            assertThat(evict.getEventType().getName()).isEqualTo("kvbm.Evict");
            assertThat(evict.getString("tier")).isEqualTo("host");
            assertThat(evict.getInt("blocks")).isEqualTo(1);
            assertThat(evict.getInt("left")).isEqualTo(2);
            RecordedEvent transfer = events.getLast();
            assertThat(transfer.getEventType().getName()).isEqualTo("kvbm.Transfer");
            assertThat(transfer.getString("way")).isEqualTo("MEMCPY");
            assertThat(transfer.getInt("blocks")).isEqualTo(1);
            assertThat(transfer.getLong("bytes")).isEqualTo(pool.blocks().layout().bytesPerBlock());
            assertThat(transfer.getBoolean("failed")).isFalse();
            assertThat(transfer.getDuration().toNanos()).isPositive();
        }
    }

    @Test
    void aLeakIsRecordedWithWhereItWasOpened() throws IOException {
        LeakReport report = new LeakReport(MonotonicClock.SYSTEM);
        List<RecordedEvent> events = recorded(() -> report.add("sequence", 3, new Throwable()));
        assertThat(events).singleElement().satisfies(leak -> {
            assertThat(leak.getEventType().getName()).isEqualTo("kvbm.Leak");
            assertThat(leak.getString("what")).isEqualTo("sequence");
            assertThat(leak.getInt("blocks")).isEqualTo(3);
            assertThat(leak.getString("site")).contains("FlightRecorderTest");
        });
    }
}
