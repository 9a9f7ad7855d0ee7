package io.kvbm.simulation;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;

import io.kvbm.KvSequence;
import io.kvbm.ToyModel;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.KvbmException;
import io.kvbm.error.PoolException;
import io.kvbm.simulation.Totals.What;

/** Sequences that are opened, computed, continued and closed, of which peers have computed the same beginnings. */
final class Requests {

    private static final List<String> TENANTS = List.of("x", "y");
    private static final int MOST_OPEN = 4;

    private final Simulation world;

    Requests(Simulation world) {
        this.world = world;
        world.mayHappen(24, "open", () -> world.cluster.anyRunning(this::open));
        world.mayHappen(8, "append", () -> anyWithSequences(this::append));
        world.mayHappen(14, "close", () -> anyWithSequences(this::close));
        world.mayHappen(1, "clear", () -> world.cluster.anyRunning(life -> life.pool().clear()));
        world.mayHappen(3, "churn", () -> world.cluster.anyRunning(this::churn));
    }

    private void anyWithSequences(Consumer<Life> deed) {
        world.cluster.any(life -> life.isRunning() && !life.sequences.isEmpty(), deed);
    }

    /** Prompts of few families, so that their beginnings are the same. */
    private List<Integer> prompt() {
        int family = world.random.nextInt(5);
        int fork = world.random.nextInt(3) * ToyModel.PAGE;
        int length = world.random.nextInt(1, 4 * ToyModel.PAGE + 2);
        return IntStream.range(0, length).map(at -> at < fork ? at : family * 1000 + at).boxed().toList();
    }

    private void open(Life life) {
        while (life.sequences.size() >= MOST_OPEN) {
            life.sequences.removeFirst().sequence().close();
        }
        open(life, prompt(), TENANTS.get(world.random.nextInt(TENANTS.size())));
    }

    /** Opens a sequence, checks what was found of it, and computes the rest; returns how much was found. */
    int open(Life life, List<Integer> prompt, String tenant) {
        long before = life.peering.taker().stats().taken();
        int[] reused = new int[1];
        boolean served = world.attempt(life, () -> {
            KvSequence sequence = open(life, prompt.stream().mapToInt(i -> i).toArray(), tenant);
            Life.Open open = new Life.Open(sequence, tenant, new ArrayList<>(prompt));
            reused[0] = sequence.reusedTokens();
            life.sequences.add(open);
            life.verify(open);
            ToyModel.computeTo(sequence, life.model + tenant, prompt.size());
        });
        world.totals.add(What.SEQUENCES, served ? 1 : 0);
        world.totals.add(What.TOKENS_REUSED, reused[0]);
        world.totals.add(What.BLOCKS_TAKEN, life.peering.taker().stats().taken() - before);
        return reused[0];
    }

    private static KvSequence open(Life life, int[] tokens, String tenant) {
        try {
            return life.manager.open(tokens, tenant);
        } catch (PoolException e) {
            throw e; // its own memory is full, which nobody else can help
        } catch (KvbmException e) {
            throw new Violation("L2: a request was lost", e);
        }
    }

    private void append(Life life) {
        Life.Open open = life.sequences.get(world.random.nextInt(life.sequences.size()));
        int token = world.random.nextInt(2);
        var _ = world.attempt(life, () -> {
            open.sequence().append(token);
            open.tokens().add(token);
            ToyModel.computeTo(open.sequence(), life.model + open.tenant(), open.tokens().size());
        });
    }

    private void close(Life life) {
        life.sequences.remove(world.random.nextInt(life.sequences.size())).sequence().close();
    }

    /** Something else is written over all content that nobody holds. */
    void churn(Life life) {
        try (BlockList<MutableBlock> all = life.pool().allocateBlocks(life.pool().availableBlocks())) {
            long number = world.unique();
            all.forEach(block -> Bytes.fill(Bytes.parts(block), number));
        }
    }
}
