package io.kvbm.spring.boot.discovery;

import java.net.http.HttpClient;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

import javax.net.ssl.SSLContext;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.ssl.NoSuchSslBundleException;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.serviceregistry.Registration;
import org.springframework.cloud.client.serviceregistry.ServiceRegistry;
import org.springframework.cloud.consul.ConsulClient;
import org.springframework.cloud.consul.discovery.ConsulDiscoveryProperties;
import org.springframework.cloud.consul.model.http.agent.NewService;
import org.springframework.cloud.consul.serviceregistry.ConsulRegistrationCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;
import org.springframework.core.Ordered;
import org.springframework.core.env.Environment;
import org.springframework.core.io.ResourceLoader;
import org.springframework.util.StringUtils;
import org.springframework.web.client.RestClient;

import io.kvbm.KvBlockManager;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.Peering;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.spring.boot.autoconfigure.InvalidKvbmPropertyException;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.spring.boot.autoconfigure.KvbmProperties;
import io.kvbm.spring.boot.autoconfigure.StartupNote;
import io.kvbm.time.MonotonicClock;

/**
 * Has the instances of a service share their blocks, where Spring Cloud discovery says who they are and a web server
 * carries what they ask each other.
 *
 * <p>
 * It does not ask to come after Consul's registration: that would draw the registration before the auto-configuration that
 * it needs itself without saying so, and nobody would be registered.
 */
@AutoConfiguration(after = KvbmAutoConfiguration.class, afterName = {
    "org.springframework.cloud.client.discovery.simple.SimpleDiscoveryClientAutoConfiguration",
    "org.springframework.cloud.client.discovery.composite.CompositeDiscoveryClientAutoConfiguration"})
@ConditionalOnClass({DiscoveryClient.class, RestClient.class, FilterRegistrationBean.class})
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnBooleanProperty(name = {"kvbm.enabled", "kvbm.cluster.enabled"}, matchIfMissing = true)
@ConditionalOnBean(DiscoveryClient.class)
public final class ClusterAutoConfiguration {

    private static final Logger log = LoggerFactory.getLogger(ClusterAutoConfiguration.class);

    /** Before every filter of the application, and behind those that only measure. */
    private static final int ORDER = Ordered.HIGHEST_PRECEDENCE + 50;

    /** Lazy, as the manager asks for what it needs to share only where its model has a name. */
    @Bean
    @Lazy
    @ConditionalOnMissingBean(KvManagerSharingConfig.class)
    @ConditionalOnBean(KvManagerRuntimeConfig.class)
    NixlUse kvbmNixl(KvbmProperties properties, KvManagerRuntimeConfig runtime, ResourceLoader application) {
        return NixlUse.start(properties, runtime, application.getClassLoader());
    }

    @Bean
    @Lazy
    @ConditionalOnMissingBean
    KvManagerSharingConfig kvbmSharing(KvbmProperties properties, ObjectProvider<NixlUse> nixl) {
        KvbmProperties.Cluster cluster = properties.cluster();
        KvManagerSharingConfig.Builder sharing = KvManagerSharingConfig.builder()
                .checksums(cluster.checksums())
                .takeTimeout(positive("take-timeout", cluster.takeTimeout()));
        if (cluster.transport() == KvbmProperties.Transport.NIXL) {
            sharing.memories(PeerMemory.Source.NONE);
        }
        nixl.stream().map(NixlUse::transport).filter(Objects::nonNull).forEach(sharing::transport);
        return sharing.build();
    }

    @Bean
    @ConditionalOnMissingBean
    @ConditionalOnSingleCandidate(KvBlockManager.class)
    Membership kvbmMembership(KvbmProperties properties, ObjectProvider<SslBundles> bundles) {
        KvbmProperties.Cluster cluster = properties.cluster();
        MessageSigner signer = cluster.key() == null ? null : new MessageSigner(secret(cluster.key()));
        SslBundle bundle = cluster.sslBundle() == null ? null : bundle(bundles.getObject(), cluster.sslBundle());
        Authority authority = null;
        String trust = "";
        if (signer == null && cluster.insecure()) {
            log.warn("Everybody who reaches this instance's web server may ask for its blocks, as kvbm.cluster.insecure"
                    + " is set; set kvbm.cluster.key instead");
        } else if (signer == null && bundle != null) {
            authority = Authority.of(bundle, String.valueOf(cluster.sslBundle()));
            trust = " Without kvbm.cluster.key, these are instances whose certificate the trust store of"
                    + " kvbm.cluster.ssl-bundle leads to.";
        } else if (signer == null) {
            trust = " Without kvbm.cluster.key, blocks are shared on this machine only, with instances that are"
                    + " registered with its loopback address.";
        }
        return new Membership(signer, new Gatekeeper(signer, authority, cluster.insecure(), InstantSource.system()),
                bundle == null ? null : bundle.createSslContext(), trust);
    }

    private static SslBundle bundle(SslBundles bundles, String name) {
        try {
            return bundles.getBundle(name);
        } catch (NoSuchSslBundleException _) {
            throw new InvalidKvbmPropertyException("kvbm.cluster.ssl-bundle", "is '" + name + "', and there are "
                    + bundles.getBundleNames(), "Configure it under spring.ssl.bundle, or correct the name.");
        }
    }

    /**
     * What makes an instance a member, and by what it knows others.
     *
     * @param signer signs with the cluster's key; null where there is none
     * @param gatekeeper lets others in
     * @param tls with what they are asked over TLS; null where it is not
     * @param trust who is trusted, for the paragraph that tells of the start; empty where it goes without saying
     */
    record Membership(@Nullable MessageSigner signer, Gatekeeper gatekeeper, @Nullable SSLContext tls, String trust) {}

    @Bean
    @ConditionalOnBean(Membership.class)
    StartupNote kvbmSharingNote(KvBlockManager manager, Membership membership, ClusterMember member) {
        return new StartupNote(manager.peering().isEmpty()
                ? "No blocks are shared, as the model has no name; set kvbm.model.id and kvbm.model.revision to share"
                        + " them with other instances."
                : "Blocks are shared with the instances of service " + member.service() + '.' + membership.trust()
                        + ' ' + member.nixl() + '.');
    }

    @Bean
    @ConditionalOnBean(Membership.class)
    FilterRegistrationBean<WorkerFilter> kvbmWorkerFilter(KvBlockManager manager, KvbmProperties properties,
            Membership membership) {
        String path = path(properties.cluster().path());
        FilterRegistrationBean<WorkerFilter> filter = new FilterRegistrationBean<>(new WorkerFilter(path,
                manager.peering().map(ClusterAutoConfiguration::desk).orElse(null), membership.gatekeeper(),
                membership.signer(),
                MonotonicClock.SYSTEM));
        filter.addUrlPatterns(path + "/*");
        filter.setOrder(ORDER);
        return filter;
    }

    private static WorkerFilter.Desk desk(Peering peering) {
        return new WorkerFilter.Desk(Addressee.of(peering.local()), peering.desk());
    }

    @Bean
    @ConditionalOnBean(Membership.class)
    HttpLinks kvbmLinks(KvbmProperties properties, Membership membership) {
        return new HttpLinks(membership.signer(), InstantSource.system(),
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1), membership.tls(),
                times(properties.cluster()).timeout(), properties.transfer().timeout());
    }

    @Bean
    @ConditionalOnBean(Membership.class)
    Pointer kvbmPointer(KvBlockManager manager, KvbmProperties properties, Environment environment) {
        return new Pointer(manager.workerId(), environment.getProperty("server.servlet.context-path", "")
                + path(properties.cluster().path()));
    }

    @Bean
    @ConditionalOnBean(Membership.class)
    ClusterMember kvbmCluster(KvBlockManager manager, KvbmProperties properties, DiscoveryClient catalog,
            HttpLinks links, Pointer pointer, ObjectProvider<Registration> registration,
            ObjectProvider<ServiceRegistry<?>> registry, Environment environment,
            FilterRegistrationBean<WorkerFilter> filter, ObjectProvider<NixlUse> nixl) {
        KvbmProperties.Cluster cluster = properties.cluster();
        String service = cluster.service() != null ? cluster.service()
                : environment.getProperty("spring.application.name", "application");
        KvbmCluster.Times times = times(cluster);
        return new ClusterMember(manager, manager.peering()
                .map(peering -> peering.reconciler(links, settings(times)))
                .orElse(null), catalog,
                new Registrar(pointer, registration.getIfAvailable(), registry(registry.getIfAvailable()),
                        MonotonicClock.SYSTEM),
                service, pointer.path(), times,
                () -> filter.getFilter() == null ? 0 : filter.getFilter().rejected(),
                manager.peering().isEmpty() ? NixlUse.NOTHING_SHARED
                        : nixl.stream().map(NixlUse::description).findFirst().orElse(NixlUse.OF_THE_APPLICATION));
    }

    /** A registry takes registrations of its own kind, which the application's one is, as it has made it. */
    @SuppressWarnings("unchecked")
    private static @Nullable ServiceRegistry<Registration> registry(@Nullable ServiceRegistry<?> registry) {
        return (ServiceRegistry<Registration>) registry;
    }

    private static KvbmCluster.Times times(KvbmProperties.Cluster cluster) {
        return new KvbmCluster.Times(positive("poll-interval", cluster.pollInterval()),
                positive("ask-interval", cluster.askInterval()), positive("timeout", cluster.timeout()),
                positive("dead-after", cluster.deadAfter()), positive("absent-after", cluster.absentAfter()));
    }

    private static ReconcilerSettings settings(KvbmCluster.Times times) {
        ReconcilerSettings defaults = ReconcilerSettings.DEFAULT;
        return new ReconcilerSettings(defaults.addresses(), times.askInterval(), defaults.firstRetry(),
                defaults.lastRetry(), times.deadAfter(), times.absentAfter(), defaults.pages());
    }

    private static Duration positive(String name, Duration value) {
        if (!value.isPositive() || value.compareTo(Duration.ofDays(1)) > 0) {
            throw new InvalidKvbmPropertyException("kvbm.cluster." + name, "is " + value,
                    "Set more than nothing and at most a day.");
        }
        return value;
    }

    /** A shorter secret than its hash could be guessed more easily than the hash. */
    private static String secret(String key) {
        if (key.length() < 32) {
            throw new InvalidKvbmPropertyException("kvbm.cluster.key", "has " + key.length() + " characters",
                    "Set at least 32 random ones, the same on every instance.");
        }
        return key;
    }

    private static String path(String path) {
        if (!path.matches("(/(?!\\.{1,2}(/|$))[A-Za-z0-9._~-]+)+") || path.length() > 200) {
            throw new InvalidKvbmPropertyException("kvbm.cluster.path", "is '" + path + "'",
                    "Set a path such as /kvbm, of at most 200 characters.");
        }
        return path;
    }

    /** What Consul is told beside the address. It refuses silently what is too long, which a pointer never is. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(ConsulRegistrationCustomizer.class)
    static class Consul {

        private static final String METADATA = "spring.cloud.consul.discovery.metadata";
        private static final int MOST_PAIRS = 64;
        private static final int MOST_CHARACTERS = 512;

        /** Conditions on beans beside it would be asked too early: a nested configuration comes before its outer one. */
        @Bean
        ConsulRegistrationCustomizer kvbmConsulRegistration(ObjectProvider<Pointer> pointers, Environment environment) {
            return registration -> pointers.ifAvailable(
                    pointer -> point(registration.getService(), pointer, environment));
        }

        @Bean
        ConsulWatch kvbmConsulWatch(ObjectProvider<ConsulClient> consul,
                ObjectProvider<ConsulDiscoveryProperties> properties, ObjectProvider<ClusterMember> members) {
            ClusterMember member = members.getIfAvailable();
            String token = properties.stream()
                    .map(ConsulDiscoveryProperties::getAclToken)
                    .filter(StringUtils::hasText)
                    .findFirst()
                    .orElse(null);
            return member == null ? new ConsulWatch(null, token, "", () -> {})
                    : new ConsulWatch(consul.getIfUnique(), token, member.service(), member::look);
        }

        /** Consul answers a registration that it refuses with an error of which nobody is told. */
        private static void requireAcceptable(Map<String, String> metadata) {
            if (metadata.size() > MOST_PAIRS) {
                throw new InvalidKvbmPropertyException(METADATA, "has with this instance's own "
                        + metadata.size() + " pairs", "Consul takes " + MOST_PAIRS + "; set fewer.");
            }
            metadata.forEach((key, value) -> {
                if (!key.matches("[A-Za-z0-9_-]{1,128}") || value.length() > MOST_CHARACTERS) {
                    throw new InvalidKvbmPropertyException(METADATA, "has '" + key + "' with " + value.length()
                            + " characters",
                            "Consul takes keys of letters, digits, _ and -, and values of "
                                    + MOST_CHARACTERS + " characters.");
                }
            });
        }

        private static void point(NewService service, Pointer pointer, Environment environment) {
            Map<String, String> metadata = service.getMeta() == null ? new HashMap<>()
                    : new HashMap<>(service.getMeta());
            metadata.putAll(pointer.metadata());
            requireAcceptable(metadata);
            service.setMeta(metadata);
            if (!environment.containsProperty("spring.cloud.consul.discovery.instance-id")) {
                // Consul's own is the name and the configured port, which two instances may share
                service.setId(service.getName() + "-" + Long.toUnsignedString(pointer.workerId()));
            }
        }
    }
}
