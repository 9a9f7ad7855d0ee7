package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import io.kvbm.spring.boot.discovery.KvbmCluster.Publication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

/** Two applications with web servers, which a fixed list tells of each other. */
@EnabledOnOs(OS.LINUX)
@ExtendWith(OutputCaptureExtension.class)
class TwoInstancesTest {

    private static final String KEY = "kvbm.cluster.key=0123456789abcdef0123456789abcdef";
    private static final Duration SOON = Duration.ofSeconds(20);

    private static int[] tokens(int first) {
        return IntStream.range(first, first + 41).toArray();
    }

    private static void meet(Instance one, Instance other) {
        await().atMost(SOON).until(() -> one.knows(other) && other.knows(one));
    }

    private static void hasHeardOf(Instance one, long blocks) {
        await().atMost(SOON).until(() -> one.peering().index().stats().blocks() == blocks);
    }

    @Test
    void whatOneHasComputedTheOtherTakesAndAWithdrawnOneIsAskedNoMore() throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        try (Instance one = Instance.start(ports.get(0), ports, KEY);
                Instance other = Instance.start(ports.get(1), ports, KEY)) {
            meet(one, other);
            assertThat(one.member.publication()).isEqualTo(Publication.STATIC);
            assertThat(one.member.addresses()).isEqualTo(2);
            one.compute(tokens(0));
            hasHeardOf(other, 10);
            assertThat(other.reused(tokens(0))).isEqualTo(40);
            assertThat(other.peering().taker().stats().taken()).isEqualTo(10);

            one.compute(tokens(1000));
            hasHeardOf(other, 20);
            one.manager.withdraw();
            await().atMost(SOON).until(() -> !other.knows(one));
            assertThat(other.reused(tokens(1000))).isZero();
        }
    }

    @Test
    void anInstanceThatStopsIsForgottenAndOneThatComesBackIsKnownAgain() throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        try (Instance one = Instance.start(ports.get(0), ports, KEY, "kvbm.cluster.dead-after=1s")) {
            try (Instance other = Instance.start(ports.get(1), ports, KEY, "kvbm.worker-id=7")) {
                meet(one, other);
                other.compute(tokens(0));
                hasHeardOf(one, 10);
            }
            await().atMost(SOON).until(() -> one.peering().peers().isEmpty());
            assertThat(one.peering().index().stats().blocks()).isZero();
            assertThat(one.reused(tokens(0))).isZero();
            try (Instance other = Instance.start(ports.get(1), ports, KEY, "kvbm.worker-id=7")) {
                meet(one, other);
                other.compute(tokens(0));
                hasHeardOf(one, 10);
                assertThat(one.reused(tokens(0))).isEqualTo(40);
            }
        }
    }

    @Test
    void whoHasAnotherKeyLearnsNothing() throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        try (Instance one = Instance.start(ports.get(0), ports, KEY);
                Instance other = Instance.start(ports.get(1), ports, "kvbm.cluster.key=" + "x".repeat(32))) {
            await().atMost(SOON).until(() -> one.member.rejected() > 2 && other.member.rejected() > 2);
            assertThat(one.peering().peers()).isEmpty();
            assertThat(other.peering().peers()).isEmpty();
            assertThat(one.member.refusals()).isPositive();
        }
    }

    /** Consul has such an address of an instance unless it is told another. */
    @Test
    void withoutAKeyInstancesThatAreListedWithAnotherAddressOfTheirMachineSayWhatToSet(CapturedOutput output)
            throws IOException {
        String address = anotherAddress();
        List<Integer> ports = Instance.freePorts(2);
        String[] listed = {"kvbm.cluster.service=elsewhere", uri(0, address, ports), uri(1, address, ports)};
        try (Instance one = Instance.start(ports.get(0), List.of(), listed);
                Instance other = Instance.start(ports.get(1), List.of(), listed)) {
            await().atMost(SOON).until(() -> one.member.rejected() > 4 && other.member.rejected() > 4);
            assertThat(one.peering().peers()).isEmpty();
            assertThat(other.peering().peers()).isEmpty();
        }
        // one of each, but for what is said while logging is set up for the second
        assertThat(output.getAll().lines().filter(line -> line.contains("was turned away"))).hasSizeBetween(1, 2)
                .allMatch(line -> line.contains("WARN") && line.contains("from " + address + " to " + address)
                        && line.contains("set the same kvbm.cluster.key on all instances"));
        assertThat(output.getAll().lines().filter(line -> line.contains("No blocks are taken"))).hasSizeBetween(1, 4)
                .allMatch(line -> line.contains("WARN") && line.contains("http://" + address + ":")
                        && line.contains("set the same kvbm.cluster.key on all instances"));
    }

    private static String uri(int index, String address, List<Integer> ports) {
        return "spring.cloud.discovery.client.simple.instances.elsewhere[" + index + "].uri=http://" + address + ":"
                + ports.get(index);
    }

    private static String anotherAddress() throws SocketException {
        Optional<String> address = NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(any -> any instanceof Inet4Address && !any.isLoopbackAddress())
                .map(InetAddress::getHostAddress)
                .findFirst();
        assumeThat(address).as("this machine has another address").isPresent();
        return address.orElseThrow();
    }

    @Test
    void withoutAKeyInstancesOnOneMachineShare() throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        try (Instance one = Instance.start(ports.get(0), ports);
                Instance other = Instance.start(ports.get(1), ports)) {
            meet(one, other);
        }
    }
}
