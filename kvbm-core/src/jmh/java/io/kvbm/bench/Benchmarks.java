package io.kvbm.bench;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

import com.sun.management.ThreadMXBean;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

/**
 * Runs the benchmarks and prints {@code peer,op,param,metric,value,unit} to standard output, a line per repetition, with
 * the words of the peer's harness; everything else goes to standard error. {@code -Dbench=pool,hash,copy,remote,match,growth,index}
 * selects, and so does {@code nixl}, which is not among those that run unless selected; {@code RUNS} and {@code RUN_MS} are repetitions and their length.
 */
public final class Benchmarks {

    private static final String PEER = "kvbm-java";

    /** Copies are held against memcpy, which the machine's other work disturbs as much: so both take turns. */
    private static final int COPY_ROUNDS = 3;

    private Benchmarks() {}

    /** Runs what is selected. */
    public static void main(String[] args) throws Exception {
        Set<String> selected = Set
                .of(System.getProperty("bench", "pool,match,hash,copy,remote,growth,index").split(","));
        if (selected.contains("growth")) {
            growth();
        }
        for (int threads = 1; threads <= 2; threads++) {
            if (selected.contains("pool")) {
                run(PoolBench.class, threads);
            }
            if (selected.contains("match")) {
                run(MatchBench.class, threads);
            }
            if (selected.contains("index")) {
                run(IndexBench.class, threads);
            }
            if (selected.contains("hash")) {
                run(HashBench.class, threads);
            }
        }
        if (selected.contains("match")) {
            allocation();
        }
        if (selected.contains("copy")) {
            for (int round = 0; round < COPY_ROUNDS; round++) {
                run(CopyBench.class, 1);
            }
        }
        if (selected.contains("remote")) {
            RemoteBench.fork();
        }
        if (selected.contains("nixl")) {
            NixlBench.fork();
            LeasedBench.fork();
        }
    }

    private static void run(Class<?> benchmarks, int threads) throws Exception {
        int turns = benchmarks == CopyBench.class ? COPY_ROUNDS : 1;
        int runs = Math.ceilDiv(Integer.parseInt(System.getenv().getOrDefault("RUNS", "7")), turns);
        long millis = Long.parseLong(System.getenv().getOrDefault("RUN_MS", "250"));
        ChainedOptionsBuilder options = new OptionsBuilder().include(benchmarks.getName() + "\\..*")
                .threads(threads)
                .forks(1)
                .warmupIterations(6 / turns)
                .warmupTime(TimeValue.milliseconds(500))
                .measurementIterations(runs)
                .measurementTime(TimeValue.milliseconds(millis))
                .output("/dev/stderr")
                .jvmArgs("-Xms2g", "-Xmx2g", "-XX:+UseParallelGC", "--enable-native-access=ALL-UNNAMED");
        for (RunResult result : new Runner(options.build()).run()) {
            for (BenchmarkResult fork : result.getBenchmarkResults()) {
                for (IterationResult iteration : fork.getIterationResults()) {
                    print(result.getParams(), threads, iteration.getPrimaryResult().getScore());
                }
            }
        }
    }

    private static void print(BenchmarkParams params, int threads, double nanosPerCall) {
        String op = params.getBenchmark().substring(params.getBenchmark().lastIndexOf('.') + 1);
        String n = params.getParam("n");
        String identity = params.getParam("identity");
        String page = params.getParam("page");
        String bytes = params.getParam("blockBytes");
        String sha = "SHA256".equals(identity) || op.endsWith("_sha256") ? " sha256" : "";
        String name = op.replace("_sha256", "");
        Row row;
        if (name.equals("alloc_drop")) {
            row = new Row("n=" + n, Integer.parseInt(n), "block");
        } else if (name.startsWith("lifecycle")) {
            row = new Row("n=" + (n == null ? "32" : n) + " page=16", n == null ? 32 : Integer.parseInt(n), "block");
        } else if (name.startsWith("index")) {
            String place = name.endsWith("own_pool") ? "own pool" : IndexBench.PEERS + " peers";
            int units = name.startsWith("index_miss") ? 1 : IndexBench.PREFIX;
            row = new Row("prefix=" + IndexBench.PREFIX + " in " + place + " copies=" + params.getParam("copies"),
                    units, units == 1 ? "call" : "hash");
        } else if (name.equals("match_miss")) {
            row = new Row("prefix=128 stops at first", 1, "call");
        } else if (name.startsWith("match")) {
            row = new Row("prefix=128 +drop", MatchBench.PREFIX, "hash");
        } else if (name.startsWith("hash")) {
            row = new Row("page=" + page + " tokens=8192", HashBench.TOKENS, "token");
        } else {
            row = new Row("bs=" + bytes + " batch=128", (double) CopyBench.BATCH * Integer.parseInt(bytes), "byte");
        }
        double rate = row.units * threads * 1e9 / nanosPerCall;
        String param = row.param + sha + " t=" + threads;
        System.out.printf("%s,%s,%s,rate,%.0f,%s/s%n", PEER, name, param, rate, row.unit);
        System.out.printf("%s,%s,%s,call,%.1f,ns%n", PEER, name, param, nanosPerCall);
    }

    private record Row(String param, double units, String unit) {}

    /** What is kept of a block that was registered once and evicted long ago. */
    private static void growth() throws Exception {
        try (BlockPool pool = Pools.pool(IdentityKind.XXH3)) {
            int counter = register(pool, 0, 1_000_000 / 32);
            long[] before = {heap(), resident()};
            register(pool, counter, 1_000_000 / 32);
            String param = "1M unique blocks through an " + Pools.BLOCKS + "-block pool";
            System.out.printf("%s,growth,%s,heap,%.2f,bytes/block%n", PEER, param, (heap() - before[0]) / 1e6);
            System.out.printf("%s,growth,%s,rss,%.2f,bytes/block%n", PEER, param, (resident() - before[1]) / 1e6);
        }
    }

    private static int register(BlockPool pool, int from, int rounds) {
        int counter = from;
        for (int i = 0; i < rounds; i++) {
            IdentityChain chain = Pools.chain(IdentityKind.XXH3);
            chain.extend(Pools.tokens(++counter, 32 * Pools.PAGE), 0, 32 * Pools.PAGE);
            pool.registerBlocks(pool.allocateBlocks(32), chain, 0).close();
        }
        return counter;
    }

    private static long heap() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static long resident() throws Exception {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
    }

    /** Bytes allocated by one lookup; all of them are the handles, where there are any. */
    private static void allocation() {
        MatchBench.Full state = new MatchBench.Full();
        for (IdentityKind identity : List.of(IdentityKind.XXH3, IdentityKind.SHA256)) {
            state = new MatchBench.Full();
            state.identity = identity;
            state.fill();
            String sha = identity == IdentityKind.SHA256 ? " sha256" : "";
            measure("match_miss", "prefix=128 stops at first" + sha, state, state.absent.getFirst());
            measure("match_hit_inactive", "prefix=128 +drop" + sha, state, state.resident.getFirst());
            state.close();
        }
    }

    private static void measure(String op, String param, MatchBench.Full state, IdentityChain chain) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int calls = 128 * 400;
        double[] bytes = new double[5];
        for (int round = 0; round < bytes.length; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < calls; i++) {
                state.match(chain).close();
            }
            bytes[round] = (double) (threads.getCurrentThreadAllocatedBytes() - before) / calls;
        }
        System.out.printf("%s,%s,%s t=1,alloc,%.1f,bytes/call%n", PEER, op, param, Arrays.stream(bytes)
                .min()
                .orElseThrow());
    }

}
