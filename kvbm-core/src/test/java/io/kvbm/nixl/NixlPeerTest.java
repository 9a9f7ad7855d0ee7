package io.kvbm.nixl;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.error.Decision;
import io.kvbm.error.NixlException;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.testing.JavaProcess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

/** An agent of this process and one of another process, which is killed. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlPeerTest {

    private static final Duration SOON = Duration.ofSeconds(60);
    private static final List<String> LIBRARIES = List.of("jna-", "awaitility", "hamcrest", "assertj", "logback");
    private static final int PAGES = (int) (TwoAgents.SIZE / 4096);

    private final HostStorage near = HostAllocator.create().allocate(TwoAgents.SIZE);
    private final HostStorage expected = HostAllocator.create().allocate(TwoAgents.SIZE);
    private NixlAgent agent;
    private NixlBackend backend;

    @BeforeEach
    void start() {
        TwoAgents.fill(expected, NixlPeer.SEED);
        agent = InstalledNixl.library().createAgent(NixlAgentConfig.of("here"));
        backend = agent.createBackend("UCX");
        backend.register(near.address(), near.size());
    }

    @AfterEach
    void stop() {
        agent.close();
        near.close();
        expected.close();
    }

    @Test
    void aGetBringsTheBytesOfAnotherProcess() throws Exception {
        try (Peer peer = new Peer("peer-a")) {
            get(peer);
        }
    }

    @Test
    void anotherProcessIsToldWhenTheBytesAreThere() throws Exception {
        try (Peer peer = new Peer("peer-b")) {
            try (NixlRequest request = peer.request(NixlOperation.PUT)) {
                request.post(new byte[123]);
                finish(request);
            }
            assertThat(peer.output.readLine()).isEqualTo("here 123");
        }
    }

    @Test
    void aPeerThatIsKilledIsAMissAndTheNextOneIsReached() throws Exception {
        try (Peer peer = new Peer("peer-c")) {
            get(peer);
            NixlRequest failing = peer.request(NixlOperation.GET);
            NixlRequest other = peer.request(NixlOperation.GET);
            peer.process.kill();
            assertThat(peer.process.awaitEnd()).isEqualTo(JavaProcess.KILLED);
            NixlException gone = failure(failing);
            assertThat(gone.kind()).as(gone.getMessage()).isEqualTo(NixlException.Kind.DISCONNECTED);
            assertThat(gone.decision()).isEqualTo(Decision.MISS);
            assertThat(peer.remote.isLoaded()).isFalse();
            assertThat(peer.list.isOpen()).isFalse();
            NixlException also = catchThrowableOfType(NixlException.class, other::post);
            assertThat(also.kind()).isEqualTo(NixlException.Kind.DISCONNECTED);
            failing.close();
            other.close();
        }
        try (Peer peer = new Peer("peer-c")) {
            get(peer);
        }
    }

    private static NixlException failure(NixlRequest request) {
        NixlException[] failure = new NixlException[1];
        await().atMost(SOON).pollInterval(Duration.ofMillis(1)).until(() -> {
            failure[0] = catchThrowableOfType(NixlException.class, () -> {
                if (request.state() != NixlRequest.State.ACTIVE) {
                    request.post();
                }
            });
            return failure[0] != null;
        });
        return failure[0];
    }

    private void get(Peer peer) {
        near.fill((byte) 0, 0, near.size());
        try (NixlRequest request = peer.request(NixlOperation.GET)) {
            request.post();
            finish(request);
        }
        assertThat(near.segment().mismatch(expected.segment())).isEqualTo(-1);
    }

    private static void finish(NixlRequest request) {
        await().atMost(SOON)
                .pollInterval(Duration.ofMillis(1))
                .until(
                        () -> request.state() == NixlRequest.State.DONE);
    }

    /** A process with an agent, as this one knows it. */
    private final class Peer implements AutoCloseable {

        private final JavaProcess process;
        private final BufferedReader output;
        private final RemoteAgent remote;
        private final PreparedList list;

        Peer(String name) throws IOException {
            process = JavaProcess.of(NixlPeer.class).libraries(LIBRARIES).start(InstalledNixl.path(), name);
            output = new BufferedReader(new InputStreamReader(process.output(), StandardCharsets.US_ASCII));
            String line = output.readLine();
            assertThat(line).as("what the peer says of itself").isNotNull();
            String[] words = line.split(" ", -1);
            remote = agent.load(Base64.getDecoder().decode(words[1]));
            assertThat(remote.name()).isEqualTo(name);
            list = backend.prepare(remote, TransferRanges.evenly(Long.parseLong(words[0]), 4096, 4096, PAGES));
        }

        NixlRequest request(NixlOperation operation) {
            int[] all = new int[PAGES];
            Arrays.setAll(all, i -> i);
            return backend.request(operation,
                    backend.prepare(TransferRanges.evenly(near.address(), 4096, 4096, PAGES)), all, list, all);
        }

        @Override
        public void close() {
            process.close();
        }
    }
}
