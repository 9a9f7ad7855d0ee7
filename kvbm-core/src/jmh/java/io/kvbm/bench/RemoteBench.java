package io.kvbm.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.PinList;
import io.kvbm.block.SlotBoard;
import io.kvbm.event.EventLog;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.BlockChecksums;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.ChecksumMode;
import io.kvbm.remote.LocalWorker;
import io.kvbm.remote.RemoteReads;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.MemoryCopy;
import io.kvbm.token.ContentFingerprint;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

/**
 * Reading 128 shuffled blocks of another process, with all looks and each mode of checksums, and by libc's memcpy over
 * the same mapping. They take turns of 20 ms, as the machine's other work disturbs all of them; the owner sleeps. What
 * is told is the median turn, in time of the thread on the processor, which compares those that take turns best, and by
 * the clock on the wall, which is what another program tells.
 */
final class RemoteBench {

    private static final int[] BLOCK_BYTES = {4096, 65536, 1048576};
    static final int BATCH = 128;
    private static final long MEMORY = 256L << 20;
    private static final long TURN_NANOS = 20_000_000;
    private static final long WARMUP_NANOS = 3_000_000_000L;
    static final ContentFingerprint FINGERPRINT = ContentFingerprint
            .ofBytes(new byte[ContentFingerprint.BYTES]);

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private RemoteBench() {}

    /** Runs the reader in a fresh process, as the other benchmarks are. */
    static void fork() throws IOException, InterruptedException {
        Process reader = jvm(RemoteBench.class, "reader").inheritIO().start();
        if (reader.waitFor() != 0) {
            throw new IllegalStateException("The reader ended with " + reader.exitValue());
        }
    }

    /** A main class as a process that is to be started. */
    static ProcessBuilder jvm(Class<?> main, String... arguments) {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "--enable-native-access=ALL-UNNAMED", "-cp",
                        System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command);
    }

    /** Runs as owner or as reader. */
    public static void main(String[] args) throws Throwable {
        if (args[0].equals("owner")) {
            own(Integer.parseInt(args[1]));
            return;
        }
        for (int blockBytes : BLOCK_BYTES) {
            ProcessBuilder owner = jvm(RemoteBench.class, "owner", Integer.toString(blockBytes));
            Process process = owner.redirectError(ProcessBuilder.Redirect.INHERIT).start();
            try (BufferedReader output = process.inputReader(StandardCharsets.US_ASCII)) {
                byte[] blockset = Base64.getDecoder().decode(output.readLine());
                try (Reads reads = new Reads(blockset, blockBytes)) {
                    reads.measure();
                }
            } finally {
                process.destroyForcibly().waitFor();
            }
        }
    }

    // ------------------------------------------------------------------------------------------------- owner

    private static void own(int blockBytes) throws Exception {
        LayoutConfig config = config(blockBytes);
        BlockMemory memory = BlockMemory.allocate(config, LayoutType.FULLY_CONTIGUOUS,
                HostAllocator.builder().backgroundFrom(Long.MAX_VALUE).build());
        BlockSet blocks = new BlockSet(memory, 1, 1, CacheLevel.G2);
        Random random = new Random();
        SlotBoard board = SlotBoard.create(blocks, 1, new SlotBoard.Nonce(random.nextLong(), random.nextLong()))
                .orElseThrow();
        EventLog events = new EventLog();
        BlockPool pool = BlockPool.builder(blocks).identity(IdentityKind.SHA256).board(board).events(events).build();
        EventLog.Subscription checksums = events.subscribe("checksums",
                new BlockChecksums(CacheLevel.G2, memory, board, ChecksumMode.FULL));
        fill(pool);
        if (!checksums.awaitDelivered(Duration.ofMinutes(1))) {
            throw new IllegalStateException("no checksums within a minute");
        }
        LocalWorker worker = new LocalWorker(1, 1, FINGERPRINT, Map.of(CacheLevel.G2, config));
        System.out.println(Base64.getEncoder().encodeToString(BlocksetCodec.encode(worker.blockset(List.of(pool)))));
        if (System.in.read() < 0) {
            pool.close();
        }
    }

    /** Fills and registers all blocks, batch by batch in the order of {@link #slots}. */
    static void fill(BlockPool pool) {
        List<MutableBlock> all = new ArrayList<>(pool.allocateBlocks(pool.totalBlocks()));
        Collections.shuffle(all, new Random(1));
        for (int i = 0; i < all.size(); i++) {
            all.get(i).segment().fill((byte) i);
        }
        for (int at = 0; at < all.size(); at += BATCH) {
            pool.registerBlocks(all.subList(at, at + BATCH), chain(at), 0).close();
        }
    }

    /** Where the owner has put each batch. */
    static List<int[]> slots(int count) {
        List<Integer> shuffled = new ArrayList<>(IntStream.range(0, count).boxed().toList());
        Collections.shuffle(shuffled, new Random(1));
        return IntStream.range(0, count / BATCH)
                .mapToObj(batch -> shuffled.subList(batch * BATCH, (batch + 1) * BATCH)
                        .stream()
                        .mapToInt(Integer::intValue)
                        .toArray())
                .toList();
    }

    /** Memory of blocks that are one run of bytes each. */
    static LayoutConfig config(int blockBytes) {
        return LayoutConfig.builder()
                .numBlocks((int) (MEMORY / blockBytes))
                .numLayers(1)
                .pageSize(1)
                .innerDim(blockBytes)
                .dtype(DType.U8)
                .alignment(4096)
                .build();
    }

    /** The names of the batch that starts with this block. */
    static IdentityChain chain(int first) {
        IdentityChain chain = new IdentityChain(FINGERPRINT, "", IdentityKind.SHA256, 1);
        chain.extend(IntStream.range(first, first + BATCH).toArray(), 0, BATCH);
        return chain;
    }

    // ------------------------------------------------------------------------------------------------ reader

    private interface Call {

        void run(int batch) throws Throwable;
    }

    private record Op(String name, String param, int blocks, Call call) {}

    /** Nanoseconds per call, on the processor and by the clock. */
    private record Turn(double processor, double wall) {}

    private static final class Reads implements AutoCloseable {

        private final int blockBytes;
        private final int batches;
        private final BlockPool pool;
        private final List<BlockList<MutableBlock>> destinations = new ArrayList<>();
        private final List<IdentityChain> chains = new ArrayList<>();
        private final List<int[]> slots;
        private final long[] generations = new long[BATCH];
        private final long[] oneGeneration = new long[1];
        private final List<int[][]> oneSlot = new ArrayList<>();
        private final List<MemorySegment[]> from = new ArrayList<>();
        private final List<MemorySegment[]> to = new ArrayList<>();
        private final RemoteReads unchecked;
        private final RemoteReads sampled;
        private final RemoteReads full;
        private final MethodHandle memcpy = CopyBench.Memory.memcpy();
        private int next;
        private int nextInBatch;

        Reads(byte[] blockset, int blockBytes) {
            this.blockBytes = blockBytes;
            this.unchecked = RemoteReads.of(blockset, 1, ChecksumMode.OFF);
            this.sampled = RemoteReads.of(blockset, 1, ChecksumMode.SAMPLED);
            this.full = RemoteReads.of(blockset, 1, ChecksumMode.FULL);
            BlockMemory memory = BlockMemory.allocate(config(blockBytes), LayoutType.FULLY_CONTIGUOUS,
                    HostAllocator.builder().backgroundFrom(Long.MAX_VALUE).build());
            this.pool = BlockPool.builder(new BlockSet(memory, 1, 2, CacheLevel.G2)).build();
            int count = memory.layout().numBlocks();
            this.slots = RemoteBench.slots(count);
            this.batches = slots.size();
            List<MutableBlock> all = new ArrayList<>(pool.allocateBlocks(count));
            Collections.shuffle(all, new Random(2));
            all.forEach(MutableBlock::close);
            for (int batch = 0; batch < batches; batch++) {
                int[] these = slots.get(batch);
                oneSlot.add(IntStream.of(these).mapToObj(slot -> new int[]{slot}).toArray(int[][]::new));
                chains.add(RemoteBench.chain(batch * BATCH));
                from.add(IntStream.of(these).mapToObj(unchecked::block).toArray(MemorySegment[]::new));
                BlockList<MutableBlock> blocks = pool.allocateBlocks(BATCH);
                destinations.add(blocks);
                to.add(blocks.stream().map(MutableBlock::segment).toArray(MemorySegment[]::new));
            }
        }

        void measure() throws Throwable {
            List<Op> ops = new ArrayList<>();
            ops.add(new Op("remote_memcpy", "", BATCH, this::copy));
            ops.add(new Op("remote_copy", "", BATCH, this::copyBare));
            ops.add(new Op("remote_read", " unchecked", BATCH, batch -> read(unchecked, batch)));
            ops.add(new Op("remote_read", " sampled", BATCH, batch -> read(sampled, batch)));
            ops.add(new Op("remote_read", " full", BATCH, batch -> read(full, batch)));
            if (blockBytes == 4096) {
                ops.add(new Op("remote_memcpy", "", 1, this::copyOne));
                ops.add(new Op("remote_read", " sampled", 1, this::readOne));
            }
            int runs = Integer.parseInt(System.getenv().getOrDefault("RUNS", "7"));
            long millis = Long.parseLong(System.getenv().getOrDefault("RUN_MS", "250"));
            turns(ops, WARMUP_NANOS);
            for (int run = 0; run < runs; run++) {
                List<List<Turn>> turns = turns(ops, millis * 1_000_000 * ops.size());
                for (int i = 0; i < ops.size(); i++) {
                    print(ops.get(i), turns.get(i));
                }
            }
        }

        private List<List<Turn>> turns(List<Op> ops, long nanos) throws Throwable {
            List<List<Turn>> turns = ops.stream().<List<Turn>>map(_ -> new ArrayList<>()).toList();
            long end = System.nanoTime() + nanos;
            while (System.nanoTime() < end) {
                for (int i = 0; i < ops.size(); i++) {
                    turns.get(i).add(turn(ops.get(i)));
                }
            }
            return turns;
        }

        private Turn turn(Op op) throws Throwable {
            int callsPerLook = op.blocks == 1 ? BATCH : 1;
            long calls = 0;
            long wall = System.nanoTime();
            long start = THREADS.getCurrentThreadCpuTime();
            long spent = 0;
            while (spent < TURN_NANOS) {
                for (int n = 0; n < callsPerLook; n++) {
                    next = next + 1 == batches ? 0 : next + 1;
                    op.call.run(next);
                }
                calls += callsPerLook;
                spent = THREADS.getCurrentThreadCpuTime() - start;
            }
            return new Turn((double) spent / calls, (double) (System.nanoTime() - wall) / calls);
        }

        private static double median(List<Turn> turns, ToDoubleFunction<Turn> of) {
            return turns.stream().mapToDouble(of).sorted().skip(turns.size() / 2).findFirst().orElseThrow();
        }

        private void print(Op op, List<Turn> turns) {
            String param = "bs=" + blockBytes + " batch=" + op.blocks + op.param + " t=1";
            double call = median(turns, Turn::processor);
            System.out.printf("kvbm-java,%s,%s,rate,%.0f,byte/s%n", op.name, param,
                    (double) op.blocks * blockBytes * 1e9 / call);
            System.out.printf("kvbm-java,%s,%s,call,%.1f,ns%n", op.name, param, call);
            System.out.printf("kvbm-java,%s,%s,latency,%.1f,ns%n", op.name, param, median(turns, Turn::wall));
        }

        private void read(RemoteReads reads, int batch) {
            try (PinList pins = PinList.of(destinations.get(batch))) {
                require(reads.read(slots.get(batch), generations, chains.get(batch), 0, pins), BATCH);
            }
        }

        private void readOne(int batch) {
            int at = nextInBatch();
            try (PinList pins = PinList.of(List.of(destinations.get(batch).get(at)))) {
                require(sampled.read(oneSlot.get(batch)[at], oneGeneration, chains.get(batch), at, pins), 1);
            }
        }

        /** Each round over the batches takes another block of each. */
        private int nextInBatch() {
            if (next == 0) {
                nextInBatch = (nextInBatch + 1) % BATCH;
            }
            return nextInBatch;
        }

        private static void require(int taken, int wanted) {
            if (taken != wanted) {
                throw new IllegalStateException(taken + " of " + wanted + " blocks were taken");
            }
        }

        private void copy(int batch) throws Throwable {
            for (int i = 0; i < BATCH; i++) {
                copy(from.get(batch)[i], to.get(batch)[i]);
            }
        }

        /** As a read copies, without looks and pins. */
        private void copyBare(int batch) {
            for (int i = 0; i < BATCH; i++) {
                MemoryCopy.copy(from.get(batch)[i], 0, to.get(batch)[i], 0, blockBytes);
            }
        }

        private void copyOne(int batch) throws Throwable {
            int at = nextInBatch();
            copy(from.get(batch)[at], to.get(batch)[at]);
        }

        private void copy(MemorySegment source, MemorySegment destination) throws Throwable {
            MemorySegment end = (MemorySegment) memcpy.invokeExact(destination, source, (long) blockBytes);
            if (end.address() == 0) {
                throw new IllegalStateException("memcpy returned nothing");
            }
        }

        @Override
        public void close() {
            full.close();
            sampled.close();
            unchecked.close();
            destinations.forEach(BlockList::close);
            pool.close();
        }
    }
}
