package io.kvbm;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.layout.DType;
import io.kvbm.nixl.InstalledNixl;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlTransport;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.BlocksetJson;
import io.kvbm.remote.Leases;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.WriteLease;
import io.kvbm.remote.Writer;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.RemoteTransport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Blocks that an agent in Python reads and fills, which is told of them in the reference's JSON and knows nothing else. */
@Tag("nixl")
@Tag("python")
@EnabledIf("io.kvbm.nixl.InstalledNixl#hasPython")
class PythonAgentTest {

    private static final long WORKER = 7;
    private static final long WRITER = 99;
    private static final int BLOCKS = 8;
    private static final int LAYERS = 3;
    private static final int SECONDS = 60;
    private static final String FAILURE = "nixl_cu12._bindings.nixl";

    private static long starts;

    @TempDir
    private Path folder;

    /** What the script has said. */
    private record Ended(int status, List<String> output, String errors) {

        List<String> parts() {
            assertThat(status).as(errors).isZero();
            assertThat(output.getLast()).as(errors).isEqualTo("done");
            return output.subList(0, output.size() - 1);
        }
    }

    /** A worker whose blocks lie among random bytes; nothing is held of them when it is closed. */
    private static final class Worker implements AutoCloseable {

        final HostStorage memory = HostAllocator.create().allocate(1 << 20);
        final NixlTransport transport;
        final KvBlockManager manager;

        Worker(int innerDim, DType dtype, int alignment) {
            starts++;
            transport = NixlTransport.start(InstalledNixl.library(),
                    NixlAgentConfig.of(RemoteTransport.agentName(WORKER, starts)), "UCX", Map.of());
            manager = KvBlockManager.create(KvBlockManagerConfig.builder()
                    .runtime(KvManagerRuntimeConfig.builder().workerId(WORKER).epoch(starts).build())
                    .model(KvManagerModelConfig.builder()
                            .numLayers(LAYERS)
                            .outerDim(1)
                            .pageSize(4)
                            .innerDim(innerDim)
                            .dtype(dtype)
                            .build())
                    .hostLayout(KvManagerLayoutConfig.builder()
                            .numBlocks(BLOCKS)
                            .alignment(alignment)
                            .storage(List.of(memory))
                            .build())
                    .sharing(KvManagerSharingConfig.builder()
                            .memories(PeerMemory.Source.NONE)
                            .transport(transport)
                            .build())
                    .build());
            byte[] noise = new byte[(int) memory.size()];
            new Random(innerDim).nextBytes(noise);
            memory.segment().copyFrom(MemorySegment.ofArray(noise));
        }

        BlockPool pool() {
            return manager.host().orElseThrow();
        }

        Leases leases() {
            return manager.peering().orElseThrow().leases();
        }

        byte[] bytes() {
            return memory.segment().toArray(ValueLayout.JAVA_BYTE);
        }

        BlockList<ImmutableBlock> register(BlockList<MutableBlock> blocks) {
            IdentityChain chain = manager.chain("");
            int[] tokens = IntStream.range(0, blocks.size() * 4).toArray();
            chain.extend(tokens, 0, tokens.length);
            return pool().registerBlocks(blocks, chain, 0);
        }

        /** Puts what the script writes into a block where its bytes are to be. */
        void expect(byte[] expected, MutableBlock block) {
            for (int layer = 0; layer < LAYERS; layer++) {
                MemorySegment part = block.segment(layer, 0);
                int start = (int) (part.address() - memory.address());
                for (int i = 0; i < part.byteSize(); i++) {
                    expected[start + i] = (byte) ((i * 7 + block.index() * 131 + layer * 17 + 5) % 251);
                }
            }
        }

        @Override
        public void close() {
            assertThat(pool().availableBlocks()).isEqualTo(BLOCKS);
            assertThat(pool().stats().holders()).isZero();
            manager.close();
            transport.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"16, FP16, 1", "13, FP16, 512", "5, FP32, 65536", "3, U8, 1"})
    void itReadsEveryByteOfTheBlocksThatAreNamed(int innerDim, DType dtype, int alignment) throws Exception {
        try (Worker worker = new Worker(innerDim, dtype, alignment);
                BlockList<MutableBlock> mine = worker.pool().allocateBlocks(6);
                BlockList<ImmutableBlock> registered = worker.register(mine)) {
            List<ImmutableBlock> named = List.of(registered.get(4), registered.get(0), registered.get(5));
            List<String> expected = new ArrayList<>();
            for (ImmutableBlock block : named) {
                for (int layer = 0; layer < LAYERS; layer++) {
                    byte[] bytes = block.segment(layer, 0).toArray(ValueLayout.JAVA_BYTE);
                    expected.add(block.index() + " " + layer + " " + HexFormat.of().formatHex(bytes));
                }
            }
            byte[] before = worker.bytes();
            Ended ended = run("read", worker.manager.exportBlockset(), BlockDescriptorList.ofImmutable(named));
            assertThat(ended.parts()).isEqualTo(expected);
            assertThat(worker.bytes()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @CsvSource({"16, FP16, 1", "13, FP16, 512", "5, FP32, 65536", "3, U8, 1"})
    void itFillsTheBlocksThatAreLeasedToItAndNoOtherByteChanges(int innerDim, DType dtype, int alignment)
            throws Exception {
        try (Worker worker = new Worker(innerDim, dtype, alignment)) {
            byte[] expected = worker.bytes();
            WriteLease lease;
            try (BlockList<MutableBlock> mine = worker.pool().allocateBlocks(6)) {
                List<MutableBlock> theirs = List.of(mine.get(3), mine.get(1));
                theirs.forEach(block -> worker.expect(expected, block));
                assertThat(expected).isNotEqualTo(worker.bytes());
                lease = worker.leases()
                        .write(worker.pool(), theirs, WRITER, Writer.WRITES, Duration.ofSeconds(SECONDS));
            }
            assertThat(worker.pool().availableBlocks()).isEqualTo(BLOCKS - 2);
            Queue<String> told = new ConcurrentLinkedQueue<>();
            worker.manager.peering().orElseThrow().desk().listen((writer, text) -> {
                told.add(writer + ": " + text + ", first other byte " + Arrays.mismatch(worker.bytes(), expected));
                worker.leases().end(writer, lease.number());
            });
            Ended ended = run("write", worker.manager.exportBlockset(), lease.blocks(), "two blocks");
            assertThat(ended.parts()).hasSize(2 * LAYERS);
            await().untilAsserted(() -> assertThat(told).containsExactly("99: two blocks, first other byte -1"));
            assertThat(worker.pool().availableBlocks()).isEqualTo(BLOCKS);
        }
    }

    @Test
    void metadataThatAreCutShortAreRefusedByNixl() throws Exception {
        try (Worker worker = new Worker(16, DType.FP16, 1);
                BlockList<MutableBlock> mine = worker.pool().allocateBlocks(1)) {
            Blockset whole = worker.manager.exportBlockset();
            byte[] before = worker.bytes();
            BlockDescriptorList list = BlockDescriptorList.ofMutable(mine);
            int length = whole.agentMetadata().length;
            for (int left : new int[]{0, 1, length / 2, length - 1}) {
                Blockset cut = new Blockset(whole.workerId(), whole.epoch(), whole.fingerprint(), whole.levels(),
                        Arrays.copyOf(whole.agentMetadata(), left));
                Ended ended = run("write", cut, list, "");
                assertThat(ended.status()).as("with %s of %s bytes: %s", left, length, ended.errors()).isOne();
                assertThat(ended.errors()).as("with %s of %s bytes", left, length).contains(FAILURE);
            }
            assertThat(worker.bytes()).isEqualTo(before);
            assertThat(run("read", whole, list).parts()).hasSize(LAYERS);
        }
    }

    private Ended run(String operation, Blockset blockset, BlockDescriptorList list, String... more)
            throws IOException, InterruptedException {
        Path script = folder.resolve("plain_agent.py");
        try (InputStream source = Objects.requireNonNull(getClass().getResourceAsStream("plain_agent.py"))) {
            Files.write(script, source.readAllBytes());
        }
        Path exported = Files.write(folder.resolve("blockset.json"), BlocksetJson.write(blockset));
        Path descriptors = Files.writeString(folder.resolve("descriptors.json"), list.toJson());
        Path output = folder.resolve("output");
        Path errors = folder.resolve("errors");
        List<String> command = new ArrayList<>(List.of(InstalledNixl.python().toString(), script.toString(), operation,
                exported.toString(), descriptors.toString()));
        command.addAll(List.of(more));
        Process process = new ProcessBuilder(command).redirectOutput(output.toFile())
                .redirectError(errors.toFile())
                .start();
        try {
            boolean ended = process.waitFor(SECONDS, TimeUnit.SECONDS);
            assertThat(ended).as("%s has ended: %s", command, Files.readString(errors)).isTrue();
            return new Ended(process.exitValue(), Files.readAllLines(output), Files.readString(errors));
        } finally {
            process.destroyForcibly();
        }
    }
}
