package io.kvbm;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.BlocksetJson;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.PutRequest;
import io.kvbm.remote.Writer;

/**
 * A worker in a process of its own, which does what it is ordered by whoever has started it, and ends with it. It has one
 * list of blocks to fill and one of registered blocks at a time.
 */
final class RemoteWorker {

    private static final Duration LEASE = Duration.ofSeconds(5);

    private final CopyClock clock = new CopyClock();
    private final Queue<String> told = new ConcurrentLinkedQueue<>();
    private final PipeLink link = new PipeLink(new FileInputStream(FileDescriptor.in),
            new FileOutputStream(FileDescriptor.out), order -> obey(order.split(" ")));

    private @Nullable StartedWorker worker;
    private List<MutableBlock> own = List.of();
    private List<ImmutableBlock> registered = List.of();

    private RemoteWorker() {}

    public static void main(String[] args) throws InterruptedException {
        new RemoteWorker().link.awaitEnd();
        Runtime.getRuntime().halt(0);
    }

    private synchronized String obey(String[] order) {
        return switch (order[0]) {
            case "start" -> start(ToyWorker.ofWords(Arrays.copyOfRange(order, 1, order.length)));
            case "import" -> Boolean.toString(peering().importBlockset(blockset(), link).isMapped());
            case "export-json" -> new String(BlocksetJson.write(manager().exportBlockset()), StandardCharsets.UTF_8);
            case "import-json" -> Boolean.toString(peering()
                    .importBlockset(BlocksetJson.read(order[1].getBytes(StandardCharsets.UTF_8)), link)
                    .isMapped());
            case "take" -> take(Integer.parseInt(order[1]));
            case "fill" -> fill(Integer.parseInt(order[1]));
            case "check" -> Filling.firstOther(own, Integer.parseInt(order[1])).orElse("");
            case "register" -> register(Integer.parseInt(order[1]));
            case "reuse" -> reuse();
            case "read-leases" -> Integer.toString(peering().leases().stats().readLeases());
            case "available" -> Integer.toString(pool().availableBlocks());
            case "let-write" -> Long.toString(peering().leases()
                    .write(pool(), own, Long.parseLong(order[1]), Writer.ASKS, LEASE)
                    .number());
            case "lease" -> lease(BlockDescriptorList.fromJson(order[1]));
            case "put" -> put(order[1], BlockDescriptorList.fromJson(order[2]));
            case "get" -> get(order[1], BlockDescriptorList.fromJson(order[2]));
            case "told" -> String.join(" ", told);
            case "stand-still" -> standStill(Integer.parseInt(order[1]), Integer.parseInt(order[2]));
            default -> throw new IllegalArgumentException("An order to " + order[0]);
        };
    }

    private KvBlockManager manager() {
        return Objects.requireNonNull(worker).manager();
    }

    private Peering peering() {
        return manager().peering().orElseThrow();
    }

    private BlockPool pool() {
        return manager().host().orElseThrow();
    }

    private String start(ToyWorker anew) {
        if (worker != null) {
            giveBack();
            worker.close();
            worker = null;
        }
        told.clear();
        worker = anew.start(clock, KvManagerSharingConfig.builder());
        peering().desk().listen((from, text) -> told.add(from + ":" + text));
        link.answerBy(peering().desk());
        return "";
    }

    private void giveBack() {
        pool().closeAll(own);
        pool().closeAll(registered);
        own = List.of();
        registered = List.of();
    }

    private Blockset blockset() {
        PeerRequest question = new PeerRequest.Export(manager().workerId());
        return BlocksetCodec.decode(((PeerAnswer.Export) link.ask(question)).blockset());
    }

    private String take(int n) {
        giveBack();
        own = pool().allocateBlocks(n);
        return BlockDescriptorList.ofMutable(own).toJson();
    }

    private String fill(int seed) {
        Filling.fill(own, seed);
        return "";
    }

    /** The blocks that were taken are registered as those of a sequence. */
    private String register(int first) {
        registered = pool().registerBlocks(own, ToyWorker.chain(manager(), first, own.size()), 0);
        own = List.of();
        return BlockDescriptorList.ofImmutable(registered).toJson();
    }

    /** Whatever is registered goes, and other bytes lie in its place. */
    private String reuse() {
        giveBack();
        take(pool().availableBlocks());
        fill(-1);
        giveBack();
        return "";
    }

    /** Has the other worker hold blocks, and says under which number. */
    private String lease(BlockDescriptorList list) {
        int[] slots = new int[list.size()];
        long[] generations = new long[list.size()];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = list.index(i);
            generations[i] = list.generation(i).orElseThrow();
        }
        PeerAnswer answer = link.ask(new PeerRequest.Lease(manager().workerId(), list.epoch().orElseThrow(),
                list.blockSet(), slots, generations, LEASE));
        return Long.toString(((PeerAnswer.Leased) answer).lease());
    }

    private String put(String notification, BlockDescriptorList to) {
        manager().put(new PutRequest(own, manager().getRemoteBlocksMutable(to), notification));
        return "";
    }

    private String get(String notification, BlockDescriptorList from) {
        manager().get(new GetRequest(manager().getRemoteBlocksImmutable(from), own, notification));
        return "";
    }

    /** Goes no further in a copy as soon as a block of it has arrived. */
    private String standStill(int block, int seed) {
        clock.when(() -> block < own.size() && Filling.hasArrived(own, block, seed), () -> {
            while (true) {
                LockSupport.park();
            }
        });
        return "";
    }
}
