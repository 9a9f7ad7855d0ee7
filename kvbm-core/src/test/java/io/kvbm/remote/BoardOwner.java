package io.kvbm.remote;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.token.IdentityChain;

/**
 * A worker in a process of its own: says what it exports on standard output, waits for a byte on standard input, and then
 * registers and evicts blocks without a pause until it is killed or whoever started it is gone.
 */
final class BoardOwner {

    static final int BLOCKS = 32;
    static final int LONGEST = 8;
    static final List<IdentityChain> CHAINS = chains();

    private BoardOwner() {}

    private static List<IdentityChain> chains() {
        List<IdentityChain> made = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            made.add(SharedPool.chain(5000 + i, LONGEST));
        }
        return made;
    }

    public static void main(String[] args) throws IOException {
        long seed = Long.parseLong(args[0]);
        SharedPool owner = SharedPool.of(Long.parseLong(args[1]), 1, BLOCKS, Integer.parseInt(args[2]));
        System.out.println(Base64.getEncoder().encodeToString(BlocksetCodec.encode(owner.blockset())));
        if (System.in.read() < 0) {
            return;
        }
        Thread.ofPlatform().daemon().start(BoardOwner::endWithStarter);
        churn(owner, new SplittableRandom(seed));
    }

    private static void churn(SharedPool owner, SplittableRandom random) {
        Deque<BlockList<ImmutableBlock>> held = new ArrayDeque<>();
        while (true) {
            IdentityChain chain = CHAINS.get(random.nextInt(CHAINS.size()));
            int from = random.nextInt(LONGEST);
            held.add(owner.register(chain, from, from + 1 + random.nextInt(LONGEST - from)));
            while (held.size() > 2 || (!held.isEmpty() && random.nextInt(4) == 0)) {
                held.remove().close();
            }
            if (random.nextInt(100) == 0) {
                owner.pool.clear();
            }
        }
    }

    private static void endWithStarter() {
        try {
            while (System.in.read() >= 0) {
                // whatever it says
            }
        } catch (IOException e) {
            // it is gone as well
        }
        Runtime.getRuntime().halt(0);
    }
}
