package io.kvbm.nixl;

import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

import com.sun.management.ThreadMXBean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.error.Decision;
import io.kvbm.error.NixlException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

/** Two agents of one process, without progress threads, that move bytes of host memory and are used wrongly. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlAgentTest {

    private static final int[] FIRST = {0};

    private NixlLibrary library;
    private TwoAgents agents;

    @BeforeEach
    void start() {
        library = InstalledNixl.library();
        agents = new TwoAgents(library, false);
    }

    @AfterEach
    void stop() {
        agents.close();
    }

    @Test
    void aGetBringsTheBytesOfTheOther() {
        try (NixlRequest request = agents.backend.request(NixlOperation.GET, agents.nearPages(), agents.remote,
                agents.farPages())) {
            assertThat(agents.same(3, 3)).isFalse();
            request.post();
            agents.finish(request);
        }
        assertThat(agents.near.segment().mismatch(agents.far.segment())).isEqualTo(-1);
    }

    @Test
    void aPutBringsTheBytesToTheOther() {
        byte[] before = agents.near.segment().asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE);
        try (NixlRequest request = agents.backend.request(NixlOperation.PUT, agents.nearPages(), agents.remote,
                agents.farPages())) {
            request.post();
            agents.finish(request);
        }
        assertThat(agents.near.segment().mismatch(agents.far.segment())).isEqualTo(-1);
        assertThat(agents.far.segment().asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE))
                .isEqualTo(before);
    }

    @Test
    void preparedRangesArePairedByIndex() {
        int[] near = {5, 9, 200, 7};
        int[] far = {0, 255, 17, 18};
        try (PreparedList local = agents.backend.prepare(agents.nearPages());
                PreparedList remote = agents.backend.prepare(agents.remote, agents.farPages());
                NixlRequest request = agents.backend.request(NixlOperation.GET, local, near, remote, far)) {
            request.post();
            agents.finish(request);
        }
        for (int page = 0; page < 256; page++) {
            int at = Arrays.stream(near).boxed().toList().indexOf(page);
            assertThat(agents.same(page, at < 0 ? page : far[at])).as("page " + page).isEqualTo(at >= 0);
        }
    }

    @Test
    void aRequestThatIsPostedAgainMovesTheBytesAsTheyAreThen() {
        try (NixlRequest request = prepared(NixlOperation.PUT, FIRST)) {
            for (byte round = 1; round <= 5; round++) {
                agents.near.fill(round, 0, 4096);
                request.post();
                agents.finish(request);
                assertThat(agents.same(0, 0)).as("round " + round).isTrue();
            }
        }
    }

    @Test
    void postingAndAskingAllocateNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (NixlRequest request = prepared(NixlOperation.PUT, FIRST)) {
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 20 && least > 0; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 500; i++) {
                    request.post();
                    while (request.state() == NixlRequest.State.ACTIVE) {
                        agents.target.takeNotifications();
                    }
                }
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(least).as("bytes in 500 posts").isZero();
        }
    }

    @Test
    void theOtherIsToldWhenTheBytesAreThere() {
        try (NixlRequest request = prepared(NixlOperation.PUT, FIRST)) {
            request.post("block 0 is yours".getBytes(StandardCharsets.UTF_8));
            agents.finish(request);
            List<NixlNotification> told = agents.awaitNotifications();
            assertThat(told).hasSize(1);
            assertThat(told.getFirst().agent()).isEqualTo(agents.initiator.name());
            assertThat(told.getFirst().message()).asString(StandardCharsets.UTF_8).isEqualTo("block 0 is yours");
            assertThat(agents.same(0, 0)).isTrue();
        }
    }

    @Test
    void aMessageArrivesWithoutATransfer() {
        byte[] message = new byte[5000];
        new Random(3).nextBytes(message);
        agents.remote.connect();
        agents.remote.send(message);
        assertThat(agents.awaitNotifications().getFirst().message()).isEqualTo(message);
        assertThat(agents.target.takeNotifications()).isEmpty();
    }

    @Test
    void withAProgressThreadTheTargetNeedNotBeDriven() {
        try (TwoAgents driven = new TwoAgents(library, true);
                NixlRequest request = driven.backend.request(NixlOperation.GET, driven.nearPages(), driven.remote,
                        driven.farPages())) {
            request.post();
            await().atMost(Duration.ofSeconds(20)).until(() -> request.state() == NixlRequest.State.DONE);
            assertThat(driven.near.segment().mismatch(driven.far.segment())).isEqualTo(-1);
        }
    }

    @Test
    void thePluginsAreListed() {
        assertThat(agents.initiator.plugins()).contains("UCX", "POSIX");
    }

    @Test
    void anUnknownPluginIsRefusedWithThoseThatThereAre() {
        NixlException refused = refusal(() -> agents.initiator.createBackend("PIGEON"),
                NixlException.Kind.SETUP_FAILED);
        assertThat(refused).hasMessageContaining("PIGEON").hasMessageContaining("UCX");
        assertThat(refused.function()).isEqualTo("nixl_capi_get_plugin_params");
        assertThat(refused.status()).isEqualTo("ERROR_BACKEND");
        assertThat(refused.decision()).isEqualTo(Decision.FATAL);
    }

    @Test
    void aSecondBackendOfOnePluginIsRefused() {
        refusal(() -> agents.initiator.createBackend("UCX", Map.of("num_workers", "2")),
                NixlException.Kind.SETUP_FAILED);
    }

    @Test
    void aNameThatIsNoneIsRefused() {
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> NixlAgentConfig.of(" "));
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> NixlAgentConfig.of("a\0b"));
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> NixlAgentConfig.of("a".repeat(256)));
    }

    @Test
    void memoryThatMeetsRegisteredMemoryIsRefusedWithoutACall() {
        long start = agents.near.address();
        long size = agents.near.size();
        for (long[] range : new long[][]{{start, size}, {start, 1}, {start + size - 1, 1}, {start - 4096, 4097},
            {start - 4096, size + 8192}}) {
            NixlException refused = refusal(() -> agents.backend.register(range[0], range[1]),
                    NixlException.Kind.ALREADY_REGISTERED);
            assertThat(refused.status()).isNull();
        }
    }

    @Test
    void memoryIsRegisteredAgainAfterItWasWithdrawn() {
        agents.nearMemory.close();
        assertThat(agents.nearMemory.isRegistered()).isFalse();
        agents.backend.register(agents.near.address(), agents.near.size());
        try (NixlRequest request = prepared(NixlOperation.GET, FIRST)) {
            request.post();
            agents.finish(request);
        }
        assertThat(agents.same(0, 0)).isTrue();
    }

    @Test
    void aStorageThatGoesWithdrawsItsRegistrationFirst() {
        agents.near.registrations().register("nixl", () -> agents.nearMemory);
        NixlRequest request = prepared(NixlOperation.GET, FIRST);
        agents.near.close();
        assertThat(agents.nearMemory.isRegistered()).isFalse();
        assertThatExceptionOfType(ClosedException.class).isThrownBy(request::post);
    }

    @Test
    void whatIsNoMemoryIsRefusedWithoutACall() {
        long start = agents.near.address();
        refusal(() -> agents.backend.register(0, 4096), NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.backend.register(start, 0), NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.backend.register(start, -1), NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.backend.register(-4096, 8192), NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> TransferRanges.evenly(start, 4096, 4096, 0), NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> TransferRanges.of(new long[1], new long[2]), NixlException.Kind.INVALID_ARGUMENT);
    }

    @Test
    void localRangesOutsideOfRegisteredMemoryAreRefusedWithoutACall() {
        long end = agents.near.address() + agents.near.size();
        for (TransferRanges ranges : new TransferRanges[]{TransferRanges.of(end, 1),
            TransferRanges.of(end - 4096, 4097), TransferRanges.of(agents.near.address() - 1, 2)}) {
            NixlException refused = refusal(() -> agents.backend.prepare(ranges), NixlException.Kind.NOT_REGISTERED);
            assertThat(refused.status()).isNull();
            refusal(() -> agents.backend.request(NixlOperation.GET, ranges, agents.remote, ranges),
                    NixlException.Kind.NOT_REGISTERED);
        }
    }

    @Test
    void remoteRangesThatItsMetadataDoNotCoverAreAMiss() {
        long end = agents.far.address() + agents.far.size();
        NixlException refused = refusal(
                () -> agents.backend.prepare(agents.remote, TransferRanges.of(end - 4096, 8192)),
                NixlException.Kind.UNKNOWN_REMOTE);
        assertThat(refused.status()).isEqualTo("ERROR_NOT_FOUND");
        assertThat(refused.decision()).isEqualTo(Decision.MISS);
        refusal(() -> agents.backend.request(NixlOperation.GET, TransferRanges.of(agents.near.address(), 4096),
                agents.remote, TransferRanges.of(end, 4096)), NixlException.Kind.BACKEND_FAILED);
    }

    @Test
    void indicesAndPairsThatDoNotFitAreRefused() {
        PreparedList local = agents.backend.prepare(agents.nearPages());
        PreparedList remote = agents.backend.prepare(agents.remote, agents.farPages());
        PreparedList bytes = agents.backend.prepare(agents.remote,
                TransferRanges.evenly(agents.far.address(), 1, 1, 256));
        for (int[] wrong : new int[][]{{-1}, {256}, {Integer.MIN_VALUE}, {}, {0, 1}}) {
            refusal(() -> agents.backend.request(NixlOperation.GET, local, wrong, remote, FIRST),
                    NixlException.Kind.INVALID_ARGUMENT);
            refusal(() -> agents.backend.request(NixlOperation.GET, local, FIRST, remote, wrong),
                    NixlException.Kind.INVALID_ARGUMENT);
        }
        refusal(() -> agents.backend.request(NixlOperation.GET, local, FIRST, bytes, FIRST),
                NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.backend.request(NixlOperation.GET, remote, FIRST, local, FIRST),
                NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.backend.request(NixlOperation.GET, local, FIRST, local, FIRST),
                NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.targetBackend.request(NixlOperation.GET, local, FIRST, remote, FIRST),
                NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.targetBackend.prepare(agents.remote, agents.farPages()),
                NixlException.Kind.INVALID_ARGUMENT);
        refusal(() -> agents.backend.request(NixlOperation.GET, agents.nearPages(), agents.remote,
                TransferRanges.of(agents.far.address(), 4096)), NixlException.Kind.INVALID_ARGUMENT);
    }

    @Test
    void bytesThatAreNoMetadataAreAMiss() {
        byte[] random = new byte[300];
        new Random(5).nextBytes(random);
        byte[] cut = Arrays.copyOf(agents.target.metadata(), 100);
        for (byte[] garbage : new byte[][]{{}, {1}, random, cut, new byte[1000]}) {
            NixlException refused = refusal(() -> agents.initiator.load(garbage),
                    NixlException.Kind.MALFORMED_METADATA);
            assertThat(refused.decision()).isEqualTo(Decision.MISS);
        }
        assertThat(agents.remote.isLoaded()).isTrue();
    }

    @Test
    void anAgentWithoutABackendHasNothingToExchange() {
        try (NixlAgent bare = library.createAgent(NixlAgentConfig.of("bare"))) {
            refusal(bare::metadata, NixlException.Kind.SETUP_FAILED);
            refusal(bare::takeNotifications, NixlException.Kind.BACKEND_FAILED);
        }
    }

    @Test
    void whatWasMadeForARemoteAgentEndsWithIt() {
        PreparedList remote = agents.backend.prepare(agents.remote, agents.farPages());
        PreparedList local = agents.backend.prepare(agents.nearPages());
        NixlRequest request = agents.backend.request(NixlOperation.GET, local, FIRST, remote, FIRST);
        agents.remote.close();
        agents.remote.close();
        assertThat(agents.remote.isLoaded()).isFalse();
        assertThat(remote.isOpen()).isFalse();
        assertThat(local.isOpen()).isTrue();
        assertThatExceptionOfType(ClosedException.class).isThrownBy(request::post);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(request::state);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(agents.remote::connect);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> agents.remote.send(new byte[1]));
        assertThatExceptionOfType(ClosedException.class)
                .isThrownBy(() -> agents.backend.prepare(agents.remote, agents.farPages()));
        RemoteAgent again = agents.initiator.load(agents.target.metadata());
        assertThatExceptionOfType(ClosedException.class)
                .isThrownBy(() -> agents.backend.request(NixlOperation.GET, local, FIRST, remote, FIRST));
        try (NixlRequest fresh = agents.backend.request(NixlOperation.GET, local, FIRST,
                agents.backend.prepare(again, agents.farPages()), FIRST)) {
            fresh.post();
            agents.finish(fresh);
        }
        assertThat(agents.same(0, 0)).isTrue();
    }

    @Test
    void metadataThatAreLoadedAgainAddWhatWasRegisteredSince() {
        try (TwoAgents other = new TwoAgents(library, false)) {
            agents.farMemory.close();
            RemoteAgent first = agents.remote;
            first.close();
            RemoteAgent empty = agents.initiator.load(agents.target.metadata());
            refusal(() -> agents.backend.prepare(empty, agents.farPages()), NixlException.Kind.UNKNOWN_REMOTE);
            agents.targetBackend.register(agents.far.address(), agents.far.size());
            assertThat(agents.initiator.load(agents.target.metadata())).isSameAs(empty);
            try (NixlRequest request = agents.backend.request(NixlOperation.GET, agents.nearPages(), empty,
                    agents.farPages())) {
                request.post();
                agents.finish(request);
            }
            assertThat(other.remote.isLoaded()).isTrue();
        }
    }

    @Test
    void everythingOfAClosedAgentIsClosed() {
        NixlRequest request = prepared(NixlOperation.GET, FIRST);
        request.post();
        agents.initiator.close();
        agents.initiator.close();
        request.cancel();
        agents.nearMemory.close();
        agents.remote.close();
        for (Runnable use : List.<Runnable>of(request::post, request::state, agents.initiator::metadata,
                agents.initiator::plugins, agents.initiator::takeNotifications, agents.remote::connect,
                () -> agents.initiator.createBackend("POSIX"), () -> agents.initiator.load(agents.target.metadata()),
                () -> agents.backend.register(agents.far.address(), 4096),
                () -> agents.backend.prepare(agents.remote, agents.farPages()))) {
            assertThatExceptionOfType(ClosedException.class).isThrownBy(use::run);
        }
    }

    @Test
    void aRequestUnderWayIsNeitherPostedAgainNorClosed() {
        // without a turn of the target the first transfer, which has to connect, cannot end
        NixlRequest request = agents.backend.request(NixlOperation.GET, agents.nearPages(), agents.remote,
                agents.farPages());
        assertThat(request.state()).isEqualTo(NixlRequest.State.IDLE);
        assertThat(request.post()).isEqualTo(NixlRequest.State.ACTIVE);
        assertThat(refusal(request::post, NixlException.Kind.ACTIVE).decision()).isEqualTo(Decision.RETRY);
        refusal(request::close, NixlException.Kind.ACTIVE);
        agents.finish(request);
        request.close();
        assertThatExceptionOfType(ClosedException.class).isThrownBy(request::post);
        assertThat(agents.near.segment().mismatch(agents.far.segment())).isEqualTo(-1);
    }

    @Test
    void whatNobodyClosesIsClosedAndCounted() {
        long before = library.leaks();
        leak();
        await().atMost(Duration.ofSeconds(20)).until(() -> {
            System.gc();
            return library.leaks() >= before + 2; // a request that is caught after one of its lists was closed with it
        });
        try (NixlRequest request = prepared(NixlOperation.GET, FIRST)) {
            request.post();
            agents.finish(request);
        }
    }

    private void leak() {
        assertThat(prepared(NixlOperation.GET, FIRST).lists()).hasSize(2);
    }

    @Test
    void theListsOfARequestLiveAsLongAsTheRequest() {
        try (NixlRequest request = prepared(NixlOperation.GET, FIRST)) {
            long before = library.leaks();
            leak();
            await().atMost(Duration.ofSeconds(20)).until(() -> {
                System.gc();
                return library.leaks() >= before + 2; // a request that is caught after one of its lists was closed with it
            });
            request.post();
            agents.finish(request);
        }
        assertThat(agents.same(0, 0)).isTrue();
    }

    @Test
    void manyThreadsShareOneAgent() throws Exception {
        List<Thread> threads = IntStream.range(0, 4).mapToObj(number -> Thread.ofVirtual().start(() -> {
            for (int round = 0; round < 50; round++) {
                int[] page = {number * 50 + round};
                NixlRequest request = prepared(NixlOperation.GET, page);
                request.post();
                while (request.state() == NixlRequest.State.ACTIVE) {
                    agents.target.takeNotifications();
                }
                request.close();
            }
        })).toList();
        for (Thread thread : threads) {
            thread.join();
        }
        for (int page = 0; page < 200; page++) {
            assertThat(agents.same(page, page)).as("page " + page).isTrue();
        }
    }

    private NixlRequest prepared(NixlOperation operation, int[] pages) {
        return agents.backend.request(operation, agents.backend.prepare(agents.nearPages()), pages,
                agents.backend.prepare(agents.remote, agents.farPages()), pages);
    }

    private static NixlException refusal(Runnable use, NixlException.Kind kind) {
        NixlException refused = catchThrowableOfType(NixlException.class, use::run);
        assertThat(refused).as("the refusal").isNotNull();
        assertThat(refused.kind()).isEqualTo(kind);
        return refused;
    }
}
