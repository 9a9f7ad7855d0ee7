package io.kvbm.sample.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;

import io.kvbm.block.Block;

/**
 * The tensors through which one request calls the decoder. Each call gathers the K/V of the tokens before out of the
 * cache's blocks and puts the new rows back into them.
 *
 * <pre>
 *   block region   [heads][page][dim]
 *   tensor   [1]   [heads][tokens][dim]
 * </pre>
 */
public final class DecoderCall implements AutoCloseable {

    /** K and V. */
    static final int PARTS = 2;

    private final Arena arena = Arena.ofShared();
    private final Decoder decoder;
    private final DecoderGraph graph;
    private final ModelConfig config;
    private final int pageSize;
    private final long rowBytes;
    private final MemorySegment[][] past;
    private final MemorySegment[][] present;
    private final MemorySegment ids;
    private final MemorySegment positions;
    private final MemorySegment mask;
    private final MemorySegment logits;

    /** Room for a request of this many tokens. */
    public DecoderCall(Decoder decoder, int pageSize, int tokens) {
        this.decoder = decoder;
        this.graph = decoder.graph();
        this.config = decoder.config();
        this.pageSize = pageSize;
        this.rowBytes = (long) config.headDim() * config.dtype().bytes();
        this.past = new MemorySegment[config.layers()][PARTS];
        this.present = new MemorySegment[config.layers()][PARTS];
        long bytes = Math.max(1, config.kvHeads() * rowBytes * tokens);
        for (int layer = 0; layer < config.layers(); layer++) {
            for (int part = 0; part < PARTS; part++) {
                past[layer][part] = arena.allocate(bytes, 64);
                present[layer][part] = arena.allocate(bytes, 64);
            }
        }
        this.ids = arena.allocate((long) Long.BYTES * pageSize, 64);
        this.positions = arena.allocate((long) Long.BYTES * pageSize, 64);
        this.mask = arena.allocate((long) Long.BYTES * tokens, 64);
        for (int i = 0; i < tokens; i++) {
            mask.setAtIndex(ValueLayout.JAVA_LONG, i, 1);
        }
        long rows = graph.lastRowOnly() ? 1 : pageSize;
        this.logits = arena.allocate(rows * config.vocabSize() * graph.logitsType().size, 64);
    }

    /**
     * Computes the K/V of the tokens {@code from} to {@code to} (exclusive, at most a page) into the blocks, which hold
     * that of all tokens before.
     *
     * @return how likely each token is to come next; valid until the next call
     */
    public Logits run(int[] tokens, int from, int to, List<Block> blocks) {
        int rows = to - from;
        int logitRows = graph.lastRowOnly() ? 1 : rows;
        for (int i = 0; i < rows; i++) {
            ids.setAtIndex(ValueLayout.JAVA_LONG, i, tokens[from + i]);
            positions.setAtIndex(ValueLayout.JAVA_LONG, i, from + i);
        }
        gather(blocks, from);
        Map<String, OnnxTensor> inputs = new HashMap<>();
        Map<String, OnnxTensor> outputs = new HashMap<>();
        try {
            inputs.put(DecoderGraph.IDS, longs(ids, rows));
            if (graph.takesPositions()) {
                inputs.put(DecoderGraph.POSITIONS, longs(positions, rows));
            }
            if (graph.takesMask()) {
                inputs.put(DecoderGraph.MASK, longs(mask, to));
            }
            outputs.put(DecoderGraph.LOGITS, tensor(logits, graph.logitsType(), 1, logitRows, config.vocabSize()));
            for (int layer = 0; layer < config.layers(); layer++) {
                for (int part = 0; part < PARTS; part++) {
                    inputs.put(DecoderGraph.past(layer, part), keyValues(past[layer][part], from));
                    outputs.put(DecoderGraph.present(layer, part), keyValues(present[layer][part], to));
                }
            }
            decoder.run(inputs, outputs);
        } catch (OrtException e) {
            throw new IllegalStateException("The decoder's tensors could not be made", e);
        } finally {
            inputs.values().forEach(OnnxTensor::close);
            outputs.values().forEach(OnnxTensor::close);
        }
        scatter(blocks, from, to);
        long last = (logitRows - 1L) * config.vocabSize() * graph.logitsType().size;
        return new Logits(logits.asSlice(last), graph.logitsType(), config.vocabSize());
    }

    private void gather(List<Block> blocks, int tokens) {
        for (int first = 0; first < tokens; first += pageSize) {
            Block block = blocks.get(first / pageSize);
            int rows = Math.min(pageSize, tokens - first);
            for (int layer = 0; layer < config.layers(); layer++) {
                for (int part = 0; part < PARTS; part++) {
                    MemorySegment region = block.segment(layer, part);
                    for (int head = 0; head < config.kvHeads(); head++) {
                        MemorySegment.copy(region, inBlock(head, 0), past[layer][part], inTensor(head, tokens, first),
                                rows * rowBytes);
                    }
                }
            }
        }
    }

    private void scatter(List<Block> blocks, int from, int to) {
        for (int first = from; first < to;) {
            Block block = blocks.get(first / pageSize);
            int row = first % pageSize;
            int rows = Math.min(pageSize - row, to - first);
            for (int layer = 0; layer < config.layers(); layer++) {
                for (int part = 0; part < PARTS; part++) {
                    MemorySegment region = block.segment(layer, part);
                    for (int head = 0; head < config.kvHeads(); head++) {
                        MemorySegment.copy(present[layer][part], inTensor(head, to, first), region,
                                inBlock(head, row), rows * rowBytes);
                    }
                }
            }
            first += rows;
        }
    }

    private long inBlock(int head, int row) {
        return (head * (long) pageSize + row) * rowBytes;
    }

    private long inTensor(int head, int tokens, int token) {
        return (head * (long) tokens + token) * rowBytes;
    }

    private OnnxTensor keyValues(MemorySegment memory, int tokens) throws OrtException {
        return tensor(memory, graph.kvType(), 1, config.kvHeads(), tokens, config.headDim());
    }

    private OnnxTensor tensor(MemorySegment memory, OnnxJavaType type, long... shape) throws OrtException {
        long bytes = type.size;
        for (long dimension : shape) {
            bytes *= dimension;
        }
        return OnnxTensor.createTensor(decoder.environment(), buffer(memory, bytes), shape, type);
    }

    private OnnxTensor longs(MemorySegment memory, int count) throws OrtException {
        return tensor(memory, OnnxJavaType.INT64, 1, count);
    }

    private static ByteBuffer buffer(MemorySegment memory, long bytes) {
        return memory.asSlice(0, bytes).asByteBuffer().order(ByteOrder.nativeOrder());
    }

    @Override
    public void close() {
        arena.close();
    }
}
