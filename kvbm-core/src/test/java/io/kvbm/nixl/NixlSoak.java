package io.kvbm.nixl;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * A main class that moves bytes between two agents, again and again, in ever other sizes and layouts, and holds all of
 * them against a model. After each tenth of the transfers it says how much memory of the process is resident, and in the
 * end what is left open. Of what goes wrong it tells on standard output too.
 */
final class NixlSoak {

    private static final int TENTHS = 10;
    private static final int MOST_BLOCKS = 64;
    private static final int MOST_BATCH = 8;
    private static final int REQUESTS_OF_LISTS = 50;
    private static final int LISTS_OF_AGENTS = 100;
    private static final int MOST_POSTS = 3;

    private final NixlLibrary library;
    private final Random random;
    private final long transfers;
    private final Side near = new Side();
    private final Side far = new Side();
    private long done;
    private int said;

    private NixlSoak(NixlLibrary library, Random random, long transfers) {
        this.library = library;
        this.random = random;
        this.transfers = transfers;
    }

    /** The memory of an agent of {@link TwoAgents}, and what it has to hold. */
    private static final class Side {

        private final MemorySegment model = MemorySegment.ofArray(new byte[(int) TwoAgents.SIZE]);
        private MemorySegment memory = model;
        private long[] offsets = {};

        void lieIn(MemorySegment now) {
            memory = now;
            model.copyFrom(now);
        }

        /** Blocks of one length in a random order, with random gaps between them and before the first. */
        void layOut(int blocks, int bytes, Random random) {
            long stride = random.nextLong(bytes, TwoAgents.SIZE / blocks + 1);
            long first = random.nextLong(TwoAgents.SIZE - stride * (blocks - 1) - bytes + 1);
            List<Long> shuffled = new ArrayList<>();
            for (int i = 0; i < blocks; i++) {
                shuffled.add(first + i * stride);
            }
            Collections.shuffle(shuffled, random);
            offsets = shuffled.stream().mapToLong(Long::longValue).toArray();
        }

        TransferRanges ranges(int[] blocks, int bytes) {
            long[] addresses = Arrays.stream(blocks).mapToLong(block -> memory.address() + offsets[block]).toArray();
            long[] lengths = new long[blocks.length];
            Arrays.fill(lengths, bytes);
            return TransferRanges.of(addresses, lengths);
        }

        void change(int block, int at, byte value) {
            memory.set(ValueLayout.JAVA_BYTE, offsets[block] + at, value);
            model.set(ValueLayout.JAVA_BYTE, offsets[block] + at, value);
        }

        void requireSame(int block, int at) {
            byte is = memory.get(ValueLayout.JAVA_BYTE, offsets[block] + at);
            byte wanted = model.get(ValueLayout.JAVA_BYTE, offsets[block] + at);
            if (is != wanted) {
                throw new AssertionError("Byte " + at + " of block " + block + " is " + is + ", not " + wanted);
            }
        }

        void requireSame() {
            long at = memory.mismatch(model);
            if (at >= 0) {
                throw new AssertionError("Byte " + at + " of the memory is not as it has to be");
            }
        }
    }

    /** Blocks of one length on both sides, prepared. */
    private record Lists(int bytes, int blocks, PreparedList near, PreparedList far) implements AutoCloseable {

        @Override
        public void close() {
            near.close();
            far.close();
        }
    }

    /** Takes the path of the library, a seed and a number of transfers. */
    public static void main(String[] arguments) throws IOException {
        NixlLibrary library = (NixlLibrary) Nixl.at(Path.of(arguments[0]));
        try {
            new NixlSoak(library, new Random(Long.parseLong(arguments[1])), Long.parseLong(arguments[2])).run();
            System.out.println("open " + library.openHandles());
            System.out.println("leaks " + library.leaks());
        } catch (RuntimeException | AssertionError e) {
            e.printStackTrace(System.out);
            throw e;
        }
    }

    private void run() throws IOException {
        while (done < transfers) {
            try (TwoAgents agents = new TwoAgents(library, false)) {
                near.lieIn(agents.near.segment());
                far.lieIn(agents.far.segment());
                for (int i = 0; i < LISTS_OF_AGENTS && done < transfers; i++) {
                    try (Lists lists = lists(agents)) {
                        for (int n = 0; n < REQUESTS_OF_LISTS && done < transfers; n++) {
                            move(agents, lists);
                        }
                    }
                    near.requireSame();
                    far.requireSame();
                    say();
                }
            }
        }
    }

    private Lists lists(TwoAgents agents) {
        int blocks = random.nextInt(1, MOST_BLOCKS + 1);
        int bytes = 1 + random.nextInt(1 << random.nextInt(4, 14));
        near.layOut(blocks, bytes, random);
        far.layOut(blocks, bytes, random);
        int[] all = new int[blocks];
        Arrays.setAll(all, i -> i);
        return new Lists(bytes, blocks, agents.backend.prepare(near.ranges(all, bytes)),
                agents.backend.prepare(agents.remote, far.ranges(all, bytes)));
    }

    private void move(TwoAgents agents, Lists lists) {
        NixlOperation operation = random.nextBoolean() ? NixlOperation.GET : NixlOperation.PUT;
        int batch = random.nextInt(1, Math.min(lists.blocks, MOST_BATCH) + 1);
        int[] ours = distinct(batch, lists.blocks);
        int[] theirs = distinct(batch, lists.blocks);
        Side from = operation == NixlOperation.GET ? far : near;
        Side to = operation == NixlOperation.GET ? near : far;
        int[] sources = operation == NixlOperation.GET ? theirs : ours;
        int[] targets = operation == NixlOperation.GET ? ours : theirs;
        try (NixlRequest request = random.nextInt(10) == 0
                ? agents.backend.request(operation, near.ranges(ours, lists.bytes), agents.remote,
                        far.ranges(theirs, lists.bytes))
                : agents.backend.request(operation, lists.near, ours, lists.far, theirs)) {
            for (int post = random.nextInt(MOST_POSTS); post >= 0; post--) {
                for (int source : sources) {
                    from.change(source, 0, (byte) random.nextInt());
                    from.change(source, random.nextInt(lists.bytes), (byte) random.nextInt());
                }
                finish(agents, request, random.nextInt(20) == 0);
                for (int i = 0; i < batch; i++) {
                    MemorySegment.copy(from.model, from.offsets[sources[i]], to.model, to.offsets[targets[i]],
                            lists.bytes);
                    to.requireSame(targets[i], 0);
                    to.requireSame(targets[i], lists.bytes - 1);
                    to.requireSame(targets[i], random.nextInt(lists.bytes));
                }
                done++;
            }
        }
    }

    private int[] distinct(int count, int below) {
        return random.ints(0, below).distinct().limit(count).toArray();
    }

    /** Posts it and drives both agents until it has ended, and until the other was told where it is. */
    private void finish(TwoAgents agents, NixlRequest request, boolean tell) {
        byte[] message = new byte[tell ? 1 + random.nextInt(200) : 0];
        NixlRequest.State state = tell ? request.post(message) : request.post();
        List<NixlNotification> told = new ArrayList<>();
        while (state == NixlRequest.State.ACTIVE || (tell && told.isEmpty())) {
            told.addAll(agents.target.takeNotifications());
            if (state == NixlRequest.State.ACTIVE) {
                state = request.state();
            } else {
                agents.initiator.takeNotifications();
            }
        }
        if (tell && !Arrays.equals(told.getFirst().message(), message)) {
            throw new AssertionError("The target was told something else");
        }
    }

    private void say() throws IOException {
        for (; said < done * TENTHS / transfers; said++) {
            System.gc();
            System.out.println("rss " + resident());
        }
    }

    /** KiB of this process that are in memory. */
    private static long resident() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElseThrow();
        }
    }
}
