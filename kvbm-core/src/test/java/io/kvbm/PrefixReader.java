package io.kvbm;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.Block;
import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.testing.Pulse;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;

import static io.kvbm.NetworkNamespaceTest.TIMEOUT;

/**
 * A worker in a process of its own that reuses what another one holds, which it finds at the other end of its pipe as it
 * would in a service. It ends with whoever has started it.
 */
final class PrefixReader {

    private static final List<String> CATALOG = List.of("other");

    private final PipeLink link = new PipeLink(new FileInputStream(FileDescriptor.in),
            new FileOutputStream(FileDescriptor.out), order -> obey(order.split(" ")));
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final Pulse pulse = new Pulse();
    private @Nullable StartedWorker started;

    private PrefixReader() {}

    public static void main(String[] args) throws InterruptedException {
        new PrefixReader().link.awaitEnd();
        Runtime.getRuntime().halt(0);
    }

    private synchronized String obey(String[] order) {
        return switch (order[0]) {
            case "start" -> start(ToyWorker.ofWords(Arrays.copyOfRange(order, 1, order.length)));
            case "read" -> read(Integer.parseInt(order[1]), Integer.parseInt(order[2]), Long.parseLong(order[3]))
                    .toString();
            case "get" -> get(Integer.parseInt(order[1]), BlockDescriptorList.fromJson(order[2])).toString();
            case "unfinished" -> Integer.toString(worker().unfinished());
            case "holders" -> Long.toString(worker().pool().stats().holders());
            default -> throw new IllegalArgumentException("An order to " + order[0]);
        };
    }

    private StartedWorker worker() {
        return Objects.requireNonNull(started);
    }

    private String start(ToyWorker worker) {
        StartedWorker anew = worker.start(MonotonicClock.SYSTEM,
                KvManagerSharingConfig.builder().takeTimeout(TIMEOUT));
        started = anew;
        link.answerBy(anew.peering().desk());
        Reconciler reconciler = anew.peering().reconciler(_ -> link, ReconcilerSettings.DEFAULT);
        var _ = timer.scheduleWithFixedDelay(() -> {
            reconciler.listed(CATALOG);
            reconciler.step(Thread::startVirtualThread);
        }, 0, 20, TimeUnit.MILLISECONDS);
        return "";
    }

    /**
     * What came of reading.
     *
     * @param reads how often it was tried
     * @param blocks how many blocks were reused or fetched in all
     * @param slowest the time of the slowest of them in milliseconds
     * @param stall how late a thread was in its process meanwhile that only slept, in milliseconds
     */
    record Readings(int reads, int blocks, long slowest, long stall) {

        static Readings of(String words) {
            String[] numbers = words.split(" ", -1);
            return new Readings(Integer.parseInt(numbers[0]), Integer.parseInt(numbers[1]), Long.parseLong(numbers[2]),
                    Long.parseLong(numbers[3]));
        }

        @Override
        public String toString() {
            return reads + " " + blocks + " " + slowest + " " + stall;
        }
    }

    /** Opens a sequence again and again for some milliseconds, but once at least. */
    private Readings read(int first, int n, long millis) {
        int[] tokens = IntStream.rangeClosed(first, first + n * ToyWorker.PAGE).toArray();
        pulse.latestNanos();
        long begin = System.nanoTime();
        int reads = 0;
        int blocks = 0;
        long slowest = 0;
        do {
            long start = System.nanoTime();
            try (KvSequence sequence = worker().manager().open(tokens, "")) {
                slowest = Math.max(slowest, System.nanoTime() - start);
                int reused = sequence.reusedTokens() / ToyWorker.PAGE;
                requireFilled(sequence.blocks().subList(0, reused), first);
                reads++;
                blocks += reused;
            }
            worker().pool().clear();
        } while (System.nanoTime() - begin < millis * 1_000_000);
        return new Readings(reads, blocks, slowest / 1_000_000, pulse.latestNanos() / 1_000_000);
    }

    /** Fetches blocks by hand, all or none. */
    private Readings get(int first, BlockDescriptorList named) {
        try (BlockList<MutableBlock> mine = worker().pool().allocateBlocks(named.size())) {
            pulse.latestNanos();
            long start = System.nanoTime();
            boolean fetched = get(named, mine);
            long time = System.nanoTime() - start;
            if (fetched) {
                requireFilled(mine, first);
            }
            return new Readings(1, fetched ? mine.size() : 0, time / 1_000_000, pulse.latestNanos() / 1_000_000);
        }
    }

    private boolean get(BlockDescriptorList named, List<MutableBlock> mine) {
        try {
            List<RemoteBlock> its = worker().manager().getRemoteBlocksImmutable(named);
            worker().peering()
                    .transfers()
                    .get(new GetRequest(its, mine, ""), new TransferControl(MonotonicClock.SYSTEM, TIMEOUT));
            return true;
        } catch (RemoteException | TransferException e) {
            return false;
        }
    }

    private static void requireFilled(List<? extends Block> blocks, int seed) {
        Filling.firstOther(blocks, seed).ifPresent(where -> {
            throw new IllegalStateException("Other bytes: " + where);
        });
    }
}
