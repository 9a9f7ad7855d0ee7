package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.net.BindException;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.kvbm.KvBlockManager;
import io.kvbm.remote.PeerState;
import io.kvbm.remote.Peering;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.token.ModelIdentity;

/** A whole application with a web server, on a port that is known before it starts. */
final class Instance implements AutoCloseable {

    final int port;
    final ConfigurableApplicationContext context;
    final KvBlockManager manager;
    final ClusterMember member;

    /** An application with a model that has a name, and nothing else. */
    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {

        @Bean
        ModelIdentity model() {
            return SmallCache.identity();
        }
    }

    private Instance(int port, ConfigurableApplicationContext context) {
        this.port = port;
        this.context = context;
        this.manager = context.getBean(KvBlockManager.class);
        this.member = context.getBean(ClusterMember.class);
    }

    /** Starts one of the instances at these ports, which all know of each other. */
    static Instance start(int port, List<Integer> ports, String... properties) {
        return run(port, arguments(port, ports, properties));
    }

    /** Starts an instance that finds others in Consul. */
    static Instance start(int port, ConsulAgent consul, String... properties) {
        return run(port, arguments(port, consul, properties));
    }

    /** What one of the instances at these ports is started with. */
    static List<String> arguments(int port, List<Integer> ports, String... properties) {
        List<String> arguments = arguments(port, properties);
        arguments.add("--spring.cloud.consul.enabled=false");
        for (int i = 0; i < ports.size(); i++) {
            arguments.add("--spring.cloud.discovery.client.simple.instances.cluster[" + i + "].uri=http://localhost:"
                    + ports.get(i));
        }
        return arguments;
    }

    /** What an instance is started with that finds others in Consul. */
    static List<String> arguments(int port, ConsulAgent consul, String... properties) {
        List<String> arguments = arguments(port, properties);
        arguments.addAll(List.of("--spring.cloud.consul.enabled=true", "--spring.cloud.consul.host=127.0.0.1",
                "--spring.cloud.consul.port=" + consul.port(),
                "--spring.cloud.consul.discovery.prefer-ip-address=true",
                "--spring.cloud.consul.discovery.ip-address=127.0.0.1",
                "--spring.cloud.consul.discovery.health-check-interval=1s",
                "--spring.cloud.consul.discovery.catalog-services-watch.enabled=false"));
        return arguments;
    }

    private static List<String> arguments(int port, String... properties) {
        List<String> arguments = new ArrayList<>(List.of("--server.port=" + port, "--spring.application.name=cluster",
                "--spring.main.banner-mode=off"));
        Arrays.stream(properties).map(property -> "--" + property).forEach(arguments::add);
        return arguments;
    }

    /** Small, and quicker in everything than it is by default. */
    private static Instance run(int port, List<String> arguments) {
        arguments.addAll(List.of("--kvbm.host.blocks=64", "--kvbm.cluster.poll-interval=100ms",
                "--kvbm.cluster.ask-interval=200ms", "--kvbm.shutdown.delay=0s"));
        return new Instance(port,
                new SpringApplicationBuilder(Application.class).run(arguments.toArray(String[]::new)));
    }

    /**
     * Ports that nobody listened at a moment ago, from below those that the system gives to who asks for any: so no
     * connection takes one before an instance listens there.
     */
    static List<Integer> freePorts(int count) throws IOException {
        Set<Integer> ports = new LinkedHashSet<>();
        while (ports.size() < count) {
            int port = ThreadLocalRandom.current().nextInt(20_000, 32_768);
            try (ServerSocket _ = new ServerSocket(port)) {
                ports.add(port);
            } catch (BindException e) {
                // somebody listens there; another one is as good
            }
        }
        return List.copyOf(ports);
    }

    /** Whether another instance is known and asked for blocks. */
    boolean knows(Instance other) {
        return knows(other.manager.workerId());
    }

    /** Whether a worker is known and asked for blocks. */
    boolean knows(long worker) {
        return peering().peers()
                .stream()
                .anyMatch(peer -> peer.workerId() == worker && peer.state() == PeerState.LIVE);
    }

    Peering peering() {
        return manager.peering().orElseThrow();
    }

    /** Computes a prompt. */
    void compute(int[] tokens) {
        KnownKv.answer(manager, tokens);
    }

    /** Opens a prompt, checks what was found of it, and says how much that was. */
    int reused(int[] tokens) {
        return KnownKv.found(manager, tokens);
    }

    @Override
    public void close() {
        context.close();
    }
}
