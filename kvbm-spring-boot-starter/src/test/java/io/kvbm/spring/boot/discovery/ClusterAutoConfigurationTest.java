package io.kvbm.spring.boot.discovery;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.support.StaticListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.diagnostics.FailureAnalyzer;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.AbstractApplicationContextRunner;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.commons.util.InetUtils;
import org.springframework.cloud.commons.util.InetUtilsProperties;
import org.springframework.cloud.consul.discovery.ConsulDiscoveryProperties;
import org.springframework.cloud.consul.model.http.agent.NewService;
import org.springframework.cloud.consul.serviceregistry.ConsulRegistration;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.io.support.SpringFactoriesLoader;

import io.kvbm.KvBlockManager;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.spring.boot.autoconfigure.InvalidKvbmPropertyException;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.spring.boot.discovery.KvbmCluster.Publication;
import io.kvbm.time.MonotonicClock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

@ExtendWith(OutputCaptureExtension.class)
class ClusterAutoConfigurationTest {

    private static final String KEY = "kvbm.cluster.key=" + Member.KEY;

    private final WebApplicationContextRunner runner = configured(new WebApplicationContextRunner());

    private static <S extends AbstractApplicationContextRunner<S, ?, ?>> S configured(S runner) {
        return runner
                .withInitializer(context -> context.getBeanFactory()
                        .setConversionService(ApplicationConversionService.getSharedInstance()))
                .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class, ClusterAutoConfiguration.class,
                        SslAutoConfiguration.class))
                .withPropertyValues(SmallCache.properties("kvbm.model.id=small", "kvbm.model.revision=r1"))
                .withBean(DiscoveryClient.class, Nobody::new);
    }

    /** A catalog that lists nobody. */
    private static final class Nobody implements DiscoveryClient {

        @Override
        public String description() {
            return "Nobody";
        }

        @Override
        public List<ServiceInstance> getInstances(String service) {
            return List.of();
        }

        @Override
        public List<String> getServices() {
            return List.of();
        }
    }

    @Test
    void aDiscoveryClientAndAWebServerMakeACluster() {
        runner.withPropertyValues(KEY, "server.servlet.context-path=/app").run(context -> {
            assertThat(context).hasNotFailed().hasSingleBean(KvbmCluster.class).hasSingleBean(HttpLinks.class);
            assertThat(context.getBean(KvbmCluster.class).publication()).isEqualTo(Publication.STATIC);
            assertThat(context.getBean(ClusterMember.class).isRunning()).isTrue();
            assertThat(context.getBean(Pointer.class).path()).isEqualTo("/app/kvbm");
            FilterRegistrationBean<?> filter = context.getBean(FilterRegistrationBean.class);
            assertThat(filter.getUrlPatterns()).containsExactly("/kvbm/*");
            assertThat(filter.getFilter()).isInstanceOf(WorkerFilter.class);
        });
    }

    @Test
    void withoutNixlItWorksOnThisHostAndSaysSo(CapturedOutput output) {
        runner.withPropertyValues(KEY, "kvbm.nixl.library-path=/nonexistent").run(context -> {
            assertThat(context).hasNotFailed();
            assertThat(context.getBean(KvbmCluster.class).nixl())
                    .startsWith("NIXL is not used: there is no libnixl_capi.so at /nonexistent");
        });
        assertThat(output.getAll().lines().filter(line -> line.contains("NIXL is not used"))).hasSize(1);
    }

    @ParameterizedTest
    @CsvSource({"kvbm.cluster.transport=nixl, kvbm.cluster.transport is nixl",
        "kvbm.nixl.enabled=true, kvbm.nixl.enabled is true"})
    void nixlThatIsAskedForAndNotThereStopsTheStart(String property, String description) {
        runner.withPropertyValues(property, "kvbm.nixl.library-path=/nonexistent").run(context -> {
            assertThat(context).hasFailed();
            FailureAnalysis analysis = Objects
                    .requireNonNull(analyse(Objects.requireNonNull(context.getStartupFailure())));
            assertThat(analysis.getDescription()).contains(description, "libnixl_capi.so at /nonexistent");
            assertThat(analysis.getAction()).contains("kvbm.nixl.library-path");
        });
    }

    @ParameterizedTest
    @CsvSource({"kvbm.nixl.enabled=true, kvbm.cluster.transport=same-host",
        "kvbm.nixl.enabled=false, kvbm.cluster.transport=nixl"})
    void propertiesOfNixlThatContradictEachOtherStopTheStart(String one, String other) {
        runner.withPropertyValues(one, other).run(context -> {
            assertThat(context).hasFailed();
            FailureAnalysis analysis = Objects
                    .requireNonNull(analyse(Objects.requireNonNull(context.getStartupFailure())));
            assertThat(analysis.getDescription()).contains("kvbm.nixl.enabled", "kvbm.cluster.transport");
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.cluster.insecure=false", "kvbm.nixl.enabled=false",
        "kvbm.cluster.transport=same-host"})
    void nixlIsNotLookedForWhereNobodyOnAnotherHostIsReached(String property) {
        runner.withPropertyValues(property, "kvbm.nixl.library-path=/nonexistent")
                .run(context -> assertThat(context.getBean(KvbmCluster.class).nixl())
                        .startsWith("NIXL is not used: ")
                        .doesNotContain("/nonexistent"));
    }

    @Test
    void withoutJnaNixlIsNotLoaded() {
        runner.withPropertyValues(KEY)
                .withClassLoader(new FilteredClassLoader("com.sun.jna"))
                .run(context -> assertThat(context.getBean(KvbmCluster.class).nixl())
                        .isEqualTo("NIXL is not used: JNA is not on the class path; add net.java.dev.jna:jna"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.cluster.enabled=false", "kvbm.enabled=false"})
    void switchedOffThereIsNone(String property) {
        runner.withPropertyValues(property)
                .run(context -> assertThat(context).hasNotFailed()
                        .doesNotHaveBean(KvbmCluster.class)
                        .doesNotHaveBean(FilterRegistrationBean.class)
                        .doesNotHaveBean(Pointer.class));
    }

    @Test
    void withoutAClusterTheManagerWorksAllTheSame() {
        runner.withPropertyValues("kvbm.cluster.enabled=false")
                .run(context -> assertThat(
                        context.getBean(KvBlockManager.class).peering()).isEmpty());
    }

    @Test
    void withoutADiscoveryClientThereIsNone() {
        new WebApplicationContextRunner()
                .withConfiguration(
                        AutoConfigurations.of(KvbmAutoConfiguration.class, ClusterAutoConfiguration.class))
                .withPropertyValues(SmallCache.properties())
                .run(context -> assertThat(context).hasNotFailed()
                        .hasSingleBean(KvBlockManager.class)
                        .doesNotHaveBean(KvbmCluster.class));
        runner.withClassLoader(new FilteredClassLoader("org.springframework.cloud"))
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(KvbmCluster.class));
    }

    @Test
    void withoutAServletContainerThereIsNone() {
        configured(new ApplicationContextRunner())
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(KvbmCluster.class));
        configured(new ReactiveWebApplicationContextRunner())
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(KvbmCluster.class));
    }

    @Test
    void aModelWithoutANameIsSharedWithNobodyAndThatIsSaid(CapturedOutput output) {
        new WebApplicationContextRunner()
                .withInitializer(context -> context.getBeanFactory()
                        .setConversionService(ApplicationConversionService.getSharedInstance()))
                .withConfiguration(
                        AutoConfigurations.of(KvbmAutoConfiguration.class, ClusterAutoConfiguration.class))
                .withPropertyValues(SmallCache.properties(KEY))
                .withBean(DiscoveryClient.class, Nobody::new)
                .run(context -> {
                    KvbmCluster cluster = context.getBean(KvbmCluster.class);
                    assertThat(cluster.publication()).isEqualTo(Publication.NONE);
                    assertThat(cluster.addresses()).isZero();
                    assertThat(context.getBean(ClusterMember.class).isRunning()).isFalse();
                });
        assertThat(output).contains("No blocks are shared, as the model has no name");
    }

    @Test
    void howItTrustsIsSaidOnce(CapturedOutput output) {
        runner.withPropertyValues(KEY).run(context -> assertThat(context).hasNotFailed());
        assertThat(output).doesNotContain("kvbm.cluster.key", Member.KEY);
        runner.run(context -> assertThat(context).hasNotFailed());
        assertThat(output).contains("INFO")
                .containsOnlyOnce("Without kvbm.cluster.key, blocks are shared on this machine only");
        runner.withPropertyValues("kvbm.cluster.insecure=true").run(context -> assertThat(context).hasNotFailed());
        assertThat(output).contains("WARN").containsOnlyOnce("set kvbm.cluster.key instead");
    }

    @ParameterizedTest
    @CsvSource({"key, short, has 5 characters", "key, 0123456789abcdef0123456789abcde, has 31 characters",
        "path, kvbm, is 'kvbm'", "path, /, is '/'", "path, /kvbm/, is '/kvbm/'", "path, /kv bm, is '/kv bm'",
        "path, /a/../b, is '/a/../b'", "path, /., is '/.'", "path, /*, is '/*'", "path, /a;b, is '/a;b'",
        "path, /%6b, is '/%6b'", "timeout, 0s, is PT0S", "timeout, -1s, is PT-1S", "timeout, 25h, is PT25H",
        "poll-interval, 0s, is PT0S", "ask-interval, 0s, is PT0S", "dead-after, 0s, is PT0S",
        "absent-after, 0s, is PT0S", "take-timeout, 0s, is PT0S"})
    void whatMakesNoSenseIsAnalysed(String property, String value, String problem) {
        runner.withPropertyValues(KEY, "kvbm.cluster." + property + "=" + value).run(context -> {
            assertThat(context).hasFailed();
            FailureAnalysis analysis = Objects
                    .requireNonNull(analyse(Objects.requireNonNull(context.getStartupFailure())));
            assertThat(Objects.requireNonNull(analysis).getDescription())
                    .contains("kvbm.cluster." + property + " " + problem);
            assertThat(analysis.getAction()).contains("Set ");
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"/kvbm", "/a/b", "/.well-known/kvbm", "/a..b", "/...", "/~x_-.y"})
    void pathsThatMakeSenseAreTaken(String path) {
        runner.withPropertyValues(KEY, "kvbm.cluster.path=" + path)
                .run(context -> assertThat(context.getBean(Pointer.class).path()).isEqualTo(path));
    }

    @Test
    void aShortKeyIsNotToldToTheLog(CapturedOutput output) {
        runner.withPropertyValues("kvbm.cluster.key=hush-hush")
                .run(context -> assertThat(
                        Objects.requireNonNull(context.getStartupFailure())).hasStackTraceContaining("kvbm.cluster.key")
                        .satisfies(failure -> assertThat(failure.toString()).doesNotContain("hush-hush")));
        assertThat(output).doesNotContain("hush-hush");
    }

    @Test
    void anSslBundleThatIsNotThereIsSaidSo() {
        runner.withPropertyValues("kvbm.cluster.ssl-bundle=missing", "spring.ssl.bundle.jks.web.protocol=TLSv1.3")
                .run(context -> {
                    FailureAnalysis analysis = Objects
                            .requireNonNull(analyse(Objects.requireNonNull(context.getStartupFailure())));
                    assertThat(analysis.getDescription())
                            .contains("kvbm.cluster.ssl-bundle is 'missing', and there are [web]");
                    assertThat(analysis.getAction()).contains("spring.ssl.bundle");
                });
    }

    @Test
    void certificatesCountOnlyWithATrustStoreOfTheirOwn(CapturedOutput output) {
        WebApplicationContextRunner bundled = runner.withPropertyValues("kvbm.cluster.ssl-bundle=web",
                "spring.ssl.bundle.jks.web.protocol=TLSv1.3");
        bundled.run(context -> assertThat(Objects.requireNonNull(
                analyse(Objects.requireNonNull(context.getStartupFailure()))).getDescription())
                .contains("kvbm.cluster.ssl-bundle is web, which has no trust store"));
        bundled.withPropertyValues(KEY).run(context -> assertThat(context).hasNotFailed());
        runner.withPropertyValues("kvbm.cluster.ssl-bundle=own")
                .withPropertyValues(Certificates.made()
                        .properties("own", Certificates.ONE, Certificates.AUTHORITY)
                        .toArray(String[]::new))
                .run(context -> assertThat(context).hasNotFailed());
        assertThat(output).containsOnlyOnce("the trust store of kvbm.cluster.ssl-bundle leads to")
                .doesNotContain("on this machine only");
    }

    private static @Nullable FailureAnalysis analyse(Throwable failure) {
        return SpringFactoriesLoader.forDefaultResourceLocation()
                .load(FailureAnalyzer.class, SpringFactoriesLoader.FailureHandler.handleMessage((_, _) -> {}))
                .stream()
                .filter(analyzer -> analyzer.getClass().getName().startsWith("io.kvbm."))
                .map(analyzer -> analyzer.analyze(failure))
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
    }

    private static void register(Map<String, String> metadata) {
        NewService service = new NewService();
        service.setName("cluster");
        service.setMeta(metadata);
        StaticListableBeanFactory beans = new StaticListableBeanFactory(Map.of("pointer", new Pointer(7, "/kvbm")));
        new ClusterAutoConfiguration.Consul()
                .kvbmConsulRegistration(beans.getBeanProvider(Pointer.class), new StandardEnvironment())
                .customize(new ConsulRegistration(service,
                        new ConsulDiscoveryProperties(new InetUtils(new InetUtilsProperties()))));
        assertThat(service.getMeta()).containsAllEntriesOf(metadata).containsKey(Pointer.PATH_KEY);
    }

    private static Map<String, String> pairs(int count) {
        return IntStream.range(0, count).boxed().collect(Collectors.toMap(i -> "key-" + i, i -> "value"));
    }

    @Test
    void metadataThatConsulWouldRefuseSilentlyStopTheStart() {
        register(pairs(61));
        register(Map.of("key", "x".repeat(512)));
        for (Map<String, String> refused : List.of(pairs(62), Map.of("a.b", "value"),
                Map.of("key", "x".repeat(513)))) {
            assertThatExceptionOfType(InvalidKvbmPropertyException.class).isThrownBy(() -> register(refused))
                    .withMessageContaining("spring.cloud.consul.discovery.metadata");
        }
    }

    /** A catalog on a host that is gone: the first question is never answered. */
    private static final class Gone implements DiscoveryClient {

        private final AtomicInteger asked = new AtomicInteger();

        @Override
        public String description() {
            return "Gone";
        }

        @Override
        public List<ServiceInstance> getInstances(String serviceId) {
            if (asked.getAndIncrement() == 0) {
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException("interrupted", e);
                }
            }
            return List.of();
        }

        @Override
        public List<String> getServices() {
            return List.of();
        }
    }

    @Test
    void aCatalogThatNeverAnswersIsAskedAnewAfterAWhile() {
        runner.run(context -> {
            Gone gone = new Gone();
            KvBlockManager manager = context.getBean(KvBlockManager.class);
            Reconciler reconciler = manager.peering()
                    .orElseThrow()
                    .reconciler(context.getBean(HttpLinks.class), ReconcilerSettings.DEFAULT);
            ClusterMember member = new ClusterMember(manager, reconciler, gone,
                    new Registrar(context.getBean(Pointer.class), null, null, MonotonicClock.SYSTEM), "cluster",
                    "/kvbm",
                    new KvbmCluster.Times(Duration.ofMillis(50), Duration.ofSeconds(1), Duration.ofSeconds(2),
                            Duration.ofSeconds(6), Duration.ofSeconds(60)),
                    () -> 0, "");
            member.start();
            try {
                await().atMost(ClusterMember.HOPELESS.plusSeconds(10)).until(() -> gone.asked.get() > 1);
                assertThat(member.failedPolls()).isOne();
            } finally {
                member.stop();
                member.destroy();
            }
        });
    }
}
