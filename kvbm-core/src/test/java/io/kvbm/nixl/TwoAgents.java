package io.kvbm.nixl;

import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;

import static org.awaitility.Awaitility.await;

/** Two agents of this process, each with a memory of its own, of which one knows the other. */
final class TwoAgents implements AutoCloseable {

    static final long SIZE = 1 << 20;

    private static final Duration SOON = Duration.ofSeconds(20);

    private static int counter;

    final HostStorage near = HostAllocator.create().allocate(SIZE);
    final HostStorage far = HostAllocator.create().allocate(SIZE);
    final NixlAgent initiator;
    final NixlAgent target;
    final NixlBackend backend;
    final NixlBackend targetBackend;
    final NixlMemory nearMemory;
    final NixlMemory farMemory;
    final RemoteAgent remote;
    private final List<NixlNotification> told = new ArrayList<>();

    TwoAgents(NixlLibrary library, boolean progressThread) {
        int number = ++counter;
        initiator = library.createAgent(new NixlAgentConfig("initiator-" + number, progressThread));
        target = library.createAgent(new NixlAgentConfig("target-" + number, progressThread));
        backend = initiator.createBackend("UCX");
        targetBackend = target.createBackend("UCX");
        nearMemory = backend.register(near.address(), near.size());
        farMemory = targetBackend.register(far.address(), far.size());
        remote = initiator.load(target.metadata());
        fill(near, 1);
        fill(far, 2);
    }

    static void fill(HostStorage memory, int seed) {
        Random random = new Random(seed);
        for (long at = 0; at < memory.size(); at += Long.BYTES) {
            memory.segment().set(ValueLayout.JAVA_LONG, at, random.nextLong());
        }
    }

    /** Ranges of 4 KiB that fill the near memory. */
    TransferRanges nearPages() {
        return TransferRanges.evenly(near.address(), 4096, 4096, (int) (SIZE / 4096));
    }

    TransferRanges farPages() {
        return TransferRanges.evenly(far.address(), 4096, 4096, (int) (SIZE / 4096));
    }

    /** Asks until it has ended, and lets the target do its part. */
    void finish(NixlRequest request) {
        await().atMost(SOON).pollInterval(Duration.ofMillis(1)).until(() -> {
            told.addAll(target.takeNotifications());
            return request.state() == NixlRequest.State.DONE;
        });
    }

    /** What the target was told, once it was told anything. */
    List<NixlNotification> awaitNotifications() {
        await().atMost(SOON).pollInterval(Duration.ofMillis(1)).until(() -> {
            told.addAll(target.takeNotifications());
            initiator.takeNotifications();
            return !told.isEmpty();
        });
        return told;
    }

    /** Whether a page of the near memory has the bytes of one of the far memory. */
    boolean same(int nearPage, int farPage) {
        return near.segment()
                .asSlice(nearPage * 4096L, 4096)
                .mismatch(far.segment().asSlice(farPage * 4096L, 4096)) == -1;
    }

    @Override
    public void close() {
        initiator.close();
        target.close();
        near.close();
        far.close();
    }
}
