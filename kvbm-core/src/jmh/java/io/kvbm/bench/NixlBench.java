package io.kvbm.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;

import com.sun.management.ThreadMXBean;

import io.kvbm.nixl.Nixl;
import io.kvbm.nixl.NixlAgent;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlBackend;
import io.kvbm.nixl.NixlLibrary;
import io.kvbm.nixl.NixlOperation;
import io.kvbm.nixl.NixlRequest;
import io.kvbm.nixl.PreparedList;
import io.kvbm.nixl.RemoteAgent;
import io.kvbm.nixl.TransferRanges;

/**
 * Transfers by NIXL between two processes, the same work as that of the harness in C beside the scripts: as much memory
 * of the same pages, shuffled blocks, requests that are made of prepared lists each time and one that is posted again and
 * again, and a target that does nothing but move what it is asked for. {@code XFER_MS} is the length of a repetition, as
 * there.
 */
final class NixlBench {

    private static final long MEMORY = 512L << 20;
    private static final int[] BATCHES = {1, 16, 128};
    private static final long WARMUP_NANOS = 1_000_000_000L;
    private static final int RUNS = Integer.parseInt(System.getenv().getOrDefault("RUNS", "5"));
    private static final long RUN_NANOS = 1_000_000
            * Long.parseLong(System.getenv().getOrDefault("XFER_MS", "50"));

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private NixlBench() {}

    /** Blocks of one size, and the part of the memory in which they lie. */
    private record Size(String name, int bytes, long region) {

        static final List<Size> ALL = List.of(new Size("4KiB", 4 << 10, 128L << 20),
                new Size("64KiB", 64 << 10, 256L << 20), new Size("1MiB", 1 << 20, MEMORY));

        int count() {
            return (int) (region / bytes);
        }

        TransferRanges ranges(long address) {
            return TransferRanges.evenly(address, bytes, bytes, count());
        }
    }

    /** Runs the initiator in a fresh process, as the other benchmarks are. */
    static void fork() throws IOException, InterruptedException {
        Process initiator = RemoteBench.jvm(NixlBench.class, "initiator").inheritIO().start();
        if (initiator.waitFor() != 0) {
            throw new IllegalStateException("The initiator ended with " + initiator.exitValue());
        }
    }

    /** Runs as target or as initiator. */
    public static void main(String[] args) throws Exception {
        if (args[0].equals("target")) {
            serve();
            return;
        }
        Process process = RemoteBench.jvm(NixlBench.class, "target")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader output = process.inputReader(StandardCharsets.US_ASCII)) {
            String[] words = output.readLine().split(" ", -1);
            try (Initiator initiator = new Initiator(Long.parseLong(words[0]), Base64.getDecoder().decode(words[1]))) {
                initiator.measure();
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    /** The NIXL that {@code NIXL_SITE} names, as for the harness in C, or the one of this machine. */
    static NixlLibrary library() {
        String site = System.getenv("NIXL_SITE");
        return switch (site == null ? Nixl.find() : Nixl.at(Path.of(site))) {
            case NixlLibrary library -> library;
            case Nixl.Absent absent -> throw new IllegalStateException(absent.description());
        };
    }

    /** Private memory of the system's own pages, all of which are there. */
    private static MemorySegment memory(int fill) {
        return Arena.global().allocate(MEMORY, 4096).fill((byte) fill);
    }

    private static void serve() throws IOException {
        MemorySegment memory = memory(2);
        NixlAgent agent = library().createAgent(NixlAgentConfig.of("target"));
        agent.createBackend("UCX").register(memory.address(), MEMORY);
        System.out.println(memory.address() + " " + Base64.getEncoder().encodeToString(agent.metadata()));
        while (true) {
            var _ = agent.takeNotifications();
        }
    }

    private interface Call {

        void run();
    }

    private static final class Initiator implements AutoCloseable {

        private final NixlAgent agent = library().createAgent(NixlAgentConfig.of("initiator"));
        private final NixlBackend backend = agent.createBackend("UCX");
        private final RemoteAgent target;
        private final long near;
        private final long far;

        Initiator(long far, byte[] metadata) {
            MemorySegment memory = memory(1);
            this.near = memory.address();
            this.far = far;
            backend.register(near, MEMORY);
            this.target = agent.load(metadata);
            target.connect();
        }

        void measure() {
            try (Cells cells = new Cells(Size.ALL.getFirst())) {
                cells.warmUp();
            }
            for (Size size : Size.ALL) {
                try (Cells cells = new Cells(size)) {
                    for (NixlOperation operation : List.of(NixlOperation.GET, NixlOperation.PUT)) {
                        for (int batch : BATCHES) {
                            cells.measure(operation, batch);
                        }
                    }
                }
            }
        }

        @Override
        public void close() {
            agent.close();
        }

        /** The measurements with blocks of one size. */
        private final class Cells implements AutoCloseable {

            private final Size size;
            private final PreparedList local;
            private final PreparedList remote;
            private final int[] localOrder;
            private final int[] remoteOrder;
            private int next;

            Cells(Size size) {
                this.size = size;
                this.local = backend.prepare(size.ranges(near));
                this.remote = backend.prepare(target, size.ranges(far));
                Random random = new Random(88172645463325252L);
                this.localOrder = shuffled(size.count(), random);
                this.remoteOrder = shuffled(size.count(), random);
            }

            private static int[] shuffled(int count, Random random) {
                int[] order = new int[count];
                Arrays.setAll(order, i -> i);
                for (int i = count - 1; i > 0; i--) {
                    int j = random.nextInt(i + 1);
                    int moved = order[i];
                    order[i] = order[j];
                    order[j] = moved;
                }
                return order;
            }

            void warmUp() {
                for (NixlOperation operation : NixlOperation.values()) {
                    time(WARMUP_NANOS, () -> prepped(operation, 1));
                    try (NixlRequest request = request(operation, 1)) {
                        time(WARMUP_NANOS, () -> finish(request));
                    }
                }
            }

            void measure(NixlOperation operation, int batch) {
                measure(operation, "prepped", batch, () -> prepped(operation, batch));
                try (NixlRequest request = request(operation, batch)) {
                    measure(operation, "repost", batch, () -> finish(request));
                }
            }

            private void measure(NixlOperation operation, String how, int batch, Call call) {
                String op = operation == NixlOperation.GET ? "READ" : "WRITE";
                String param = "twoproc " + how + " bs=" + size.name + " batch=" + batch + " prog=0";
                time(RUN_NANOS, call);
                for (int run = 0; run < RUNS; run++) {
                    long before = THREADS.getCurrentThreadAllocatedBytes();
                    long start = System.nanoTime();
                    long calls = time(RUN_NANOS, call);
                    double nanos = System.nanoTime() - start;
                    long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
                    System.out.printf("kvbm-java,%s,%s,bandwidth,%.3f,GB/s%n", op, param,
                            (double) calls * batch * size.bytes / nanos);
                    System.out.printf("kvbm-java,%s,%s,latency,%.3f,us%n", op, param, nanos / calls / 1e3);
                    System.out.printf("kvbm-java,%s,%s,alloc,%.3f,bytes/call%n", op, param, (double) allocated / calls);
                }
            }

            private static long time(long nanos, Call call) {
                long start = System.nanoTime();
                long calls = 0;
                do {
                    call.run();
                    calls++;
                } while (System.nanoTime() - start < nanos);
                return calls;
            }

            private void prepped(NixlOperation operation, int batch) {
                try (NixlRequest request = request(operation, batch)) {
                    finish(request);
                }
            }

            private NixlRequest request(NixlOperation operation, int batch) {
                if (next + batch > localOrder.length) {
                    next = 0;
                }
                int from = next;
                next += batch;
                return backend.request(operation, local, Arrays.copyOfRange(localOrder, from, next), remote,
                        Arrays.copyOfRange(remoteOrder, from, next));
            }

            private static void finish(NixlRequest request) {
                NixlRequest.State state = request.post();
                while (state == NixlRequest.State.ACTIVE) {
                    state = request.state();
                }
            }

            @Override
            public void close() {
                local.close();
                remote.close();
            }
        }
    }
}
