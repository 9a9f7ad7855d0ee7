package io.kvbm.bench;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.event.EventLog;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlTransport;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.EventJournal;
import io.kvbm.remote.LeasedReads;
import io.kvbm.remote.LocalWorker;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.SharingLimits;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.transfer.RemoteTransport;
import io.kvbm.transfer.TransferObserver;

/**
 * Reading 128 shuffled blocks of 1 MiB of another process by NIXL, as if it were on another host: under a lease and with
 * all checksums compared, and the bare transfer of the same blocks by the same transport. They take turns, call by call.
 * The owner is asked over its standard streams.
 */
final class LeasedBench {

    private static final int BLOCK_BYTES = 1 << 20;
    private static final int BATCH = RemoteBench.BATCH;
    private static final int WARMUP_CALLS = 20;
    private static final int CALLS_PER_RUN = 10;
    private static final long EPOCH = 1;

    private LeasedBench() {}

    /** Runs the reader in a fresh process, as the other benchmarks are. */
    static void fork() throws IOException, InterruptedException {
        Process reader = RemoteBench.jvm(LeasedBench.class, "reader").inheritIO().start();
        if (reader.waitFor() != 0) {
            throw new IllegalStateException("The reader ended with " + reader.exitValue());
        }
    }

    /** Runs as owner or as reader. */
    public static void main(String[] args) throws Exception {
        if (args[0].equals("owner")) {
            try (Worker owner = new Worker(1)) {
                RemoteBench.fill(owner.pool);
                owner.serve();
            }
            return;
        }
        Process process = RemoteBench.jvm(LeasedBench.class, "owner")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (Worker reader = new Worker(2)) {
            measure(reader, new Pipes(process));
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    /** A worker that reaches others by NIXL only. */
    private static final class Worker implements AutoCloseable {

        final BlockMemory memory;
        final BlockSet blocks;
        final BlockPool pool;
        final NixlTransport transport;
        final Peering peering;

        Worker(long id) {
            LayoutConfig config = RemoteBench.config(BLOCK_BYTES);
            memory = BlockMemory.allocate(config, LayoutType.FULLY_CONTIGUOUS,
                    HostAllocator.builder().backgroundFrom(Long.MAX_VALUE).build());
            transport = NixlTransport.start(NixlBench.library(),
                    NixlAgentConfig.of(RemoteTransport.agentName(id, EPOCH)), "UCX", Map.of());
            memory.storages().forEach(transport::register);
            blocks = new BlockSet(memory, 1, id, CacheLevel.G2);
            EventLog events = new EventLog();
            pool = BlockPool.builder(blocks).identity(IdentityKind.SHA256).events(events).build();
            LocalWorker local = new LocalWorker(id, EPOCH, RemoteBench.FINGERPRINT, Map.of(CacheLevel.G2, config));
            peering = new Peering(local, List.of(pool), EventJournal.open(id, EPOCH, List.of(pool), events),
                    SharingLimits.DEFAULT, PeerMemory.Source.NONE, transport, MonotonicClock.SYSTEM, new Random(),
                    Duration.ofMinutes(1), TransferObserver.NONE);
        }

        /** Says what it exports, then answers until nobody asks any more. */
        void serve() throws IOException {
            DataInputStream in = new DataInputStream(System.in);
            DataOutputStream out = new DataOutputStream(System.out);
            write(out, BlocksetCodec.encode(peering.blockset()));
            while (true) {
                PeerRequest request;
                try {
                    request = ControlCodec.decodeRequest(read(in));
                } catch (EOFException e) {
                    return;
                }
                write(out, ControlCodec.encode(peering.desk().ask(request)));
            }
        }

        @Override
        public void close() {
            peering.close();
            pool.close();
            transport.close();
        }
    }

    private static byte[] read(DataInputStream in) throws IOException {
        return in.readNBytes(in.readInt());
    }

    private static void write(DataOutputStream out, byte[] message) throws IOException {
        out.writeInt(message.length);
        out.write(message);
        out.flush();
    }

    /** The owner's standard streams. */
    private static final class Pipes implements PeerLink {

        private final DataInputStream in;
        private final DataOutputStream out;

        Pipes(Process owner) {
            this.in = new DataInputStream(owner.getInputStream());
            this.out = new DataOutputStream(owner.getOutputStream());
        }

        byte[] blockset() throws IOException {
            return read(in);
        }

        @Override
        public synchronized PeerAnswer ask(PeerRequest request) {
            try {
                write(out, ControlCodec.encode(request));
                return ControlCodec.decodeAnswer(read(in));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static void measure(Worker reader, Pipes owner) throws IOException {
        List<int[]> slots = RemoteBench.slots(reader.pool.totalBlocks());
        List<IdentityChain> chains = new ArrayList<>();
        List<BlockList<MutableBlock>> targets = new ArrayList<>();
        List<MutableBlock> all = new ArrayList<>(reader.pool.allocateBlocks(reader.pool.totalBlocks()));
        Collections.shuffle(all, new Random(2));
        all.forEach(MutableBlock::close); // the pool hands them out in this order
        for (int batch = 0; batch < slots.size(); batch++) {
            chains.add(RemoteBench.chain(batch * BATCH));
            targets.add(reader.pool.allocateBlocks(BATCH));
        }
        int calls = CALLS_PER_RUN * Integer.parseInt(System.getenv().getOrDefault("RUNS", "5"));
        long[] generations = new long[BATCH];
        try (LeasedReads reads = new LeasedReads(reader.peering, reader.transport, owner.blockset(), owner,
                reader.blocks)) {
            for (int call = -WARMUP_CALLS; call < calls; call++) {
                int batch = Math.floorMod(call, slots.size());
                long start = System.nanoTime();
                reads.readBare(slots.get(batch), targets.get(batch));
                long between = System.nanoTime();
                int taken = reads.read(slots.get(batch), generations, chains.get(batch), targets.get(batch));
                long end = System.nanoTime();
                if (taken != BATCH) {
                    throw new IllegalStateException(taken + " of " + BATCH + " blocks were taken");
                }
                if (call >= 0) {
                    print("bare_read", between - start);
                    print("leased_read", end - between);
                }
            }
        } finally {
            targets.forEach(BlockList::close);
        }
    }

    private static void print(String op, long nanos) {
        System.out.printf("kvbm-java,%s,twoproc bs=1MiB batch=%d prog=0,latency,%.3f,us%n", op, BATCH, nanos / 1e3);
    }
}
