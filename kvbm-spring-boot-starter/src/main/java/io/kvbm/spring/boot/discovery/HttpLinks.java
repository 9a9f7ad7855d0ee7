package io.kvbm.spring.boot.discovery;

import java.net.http.HttpClient;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.Executors;

import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestClientException;
import org.springframework.web.client.support.RestClientAdapter;
import org.springframework.web.service.invoker.HttpServiceProxyFactory;

import io.kvbm.error.RemoteException;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerLinks;
import io.kvbm.remote.PeerRequest;
import io.kvbm.time.MonotonicClock;

/** The ways to other instances: HTTP, with addresses that are the URLs of their {@link WorkerFilter}s. */
final class HttpLinks implements PeerLinks, AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(HttpLinks.class);
    private static final String PLAIN = "http:";

    private final HttpClient http;
    private final boolean secret;
    private final Pace quick;
    private final Pace patient;

    /** A client and the time in which it has an answer, or none. */
    private record Pace(RestClient client, Duration limit) {

        static Pace of(HttpClient http, Duration limit, MemberInterceptor member) {
            JdkClientHttpRequestFactory factory = new JdkClientHttpRequestFactory(http);
            factory.setReadTimeout(limit);
            factory.enableCompression(false); // nothing is unpacked that is not known to be from a member
            return new Pace(RestClient.builder().requestFactory(factory).requestInterceptor(member).build(), limit);
        }
    }

    /**
     * Ways to instances.
     *
     * @param tls with what everybody is asked over TLS; null where the catalog says how each is asked
     * @param timeout the time for an answer to everything but a pull
     * @param pullTimeout the time for an answer to a pull, which moves blocks first
     */
    HttpLinks(@Nullable MessageSigner signer, InstantSource clock, HttpClient.Builder http, @Nullable SSLContext tls,
            Duration timeout, Duration pullTimeout) {
        if (tls != null) {
            http.sslContext(tls);
        }
        this.secret = tls != null;
        this.http = new OwnThreadHttpClient(http.connectTimeout(timeout)
                .executor(Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("kvbm-http-", 0).factory()))
                .followRedirects(HttpClient.Redirect.NEVER)
                .build());
        MemberInterceptor member = new MemberInterceptor(signer, clock);
        this.quick = Pace.of(this.http, timeout, member);
        this.patient = Pace.of(this.http, pullTimeout.plus(timeout), member);
    }

    /** Catalogs say http of what they were not told otherwise, and in plain text anybody could answer. */
    @Override
    public PeerLink to(String address) {
        return new Link(secret && address.regionMatches(true, 0, PLAIN, 0, PLAIN.length())
                ? "https:" + address.substring(PLAIN.length())
                : address);
    }

    @Override
    public void close() {
        http.shutdownNow();
    }

    /** Whom it reaches it learns from the answers that it passes on. */
    private final class Link implements PeerLink {

        private final String address;
        private final Way quickly;
        private final Way patiently;
        private volatile @Nullable Addressee addressee;
        private volatile boolean distrusted;

        private Link(String address) {
            this.address = address;
            this.quickly = new Way(address, quick);
            this.patiently = new Way(address, patient);
        }

        @Override
        public PeerAnswer ask(PeerRequest request) {
            Way way = request instanceof PeerRequest.Pull ? patiently : quickly;
            long started = MonotonicClock.SYSTEM.nanoTime();
            try {
                PeerAnswer answer = ControlCodec.decodeAnswer(send(request, way.api()));
                if (request instanceof PeerRequest.State && answer instanceof PeerAnswer.State state) {
                    addressee = Addressee.of(state);
                }
                distrusted = false;
                return answer;
            } catch (Distrust e) {
                throw distrusted(e.getMessage(), e);
            } catch (RestClientException | IllegalArgumentException e) {
                throw failed(e, MonotonicClock.SYSTEM.nanoTime() - started >= way.pace.limit().toNanos());
            }
        }

        private byte[] send(PeerRequest request, WorkerApi api) {
            String asker = Long.toUnsignedString(request.asker());
            String to = Optional.ofNullable(addressee).map(Addressee::toString).orElse(null);
            return switch (request) {
                case PeerRequest.State _ -> api.state(asker);
                case PeerRequest.Export _ -> api.blockset(to, asker);
                default -> api.ask(to, ControlCodec.encode(request));
            };
        }

        /** An answer that has begun and does not end is cut off at the limit, with an exception that does not say so. */
        private RemoteException failed(RuntimeException e, boolean late) {
            if (late) {
                return new RemoteException(RemoteException.Kind.DEADLINE, address + " did not answer in time", e);
            }
            String message = address + " was not reached: " + e.getMessage();
            return isOfCertificates(e)
                    ? distrusted(message + "; give all instances certificates of the authority in the"
                            + " trust store of kvbm.cluster.ssl-bundle, and have their web servers speak TLS", e)
                    : new RemoteException(RemoteException.Kind.TRANSPORT, message, e);
        }

        /** Whether the two do not agree on TLS. An end before they could has no exception of its own, only a message. */
        private static boolean isOfCertificates(@Nullable Throwable e) {
            return e instanceof SSLException
                    ? !String.valueOf(e.getMessage()).startsWith("Remote host terminated")
                    : e != null && isOfCertificates(e.getCause());
        }

        /** That is said once, until there is an answer again. */
        private RemoteException distrusted(@Nullable String message, RuntimeException e) {
            if (!distrusted) {
                log.warn("No blocks are taken from another instance: {}", message);
            }
            distrusted = true;
            return new RemoteException(RemoteException.Kind.TRANSPORT, String.valueOf(message), e);
        }

        @Override
        public String toString() {
            return address;
        }
    }

    /** What an address is asked with, made when it is first used: one that makes no sense fails every question only. */
    private static final class Way {

        private final String address;
        private final Pace pace;
        private volatile @Nullable WorkerApi api;

        private Way(String address, Pace pace) {
            this.address = address;
            this.pace = pace;
        }

        private WorkerApi api() {
            WorkerApi made = api;
            if (made == null) {
                made = HttpServiceProxyFactory
                        .builderFor(RestClientAdapter.create(pace.client().mutate().baseUrl(address).build()))
                        .build()
                        .createClient(WorkerApi.class);
                api = made;
            }
            return made;
        }
    }
}
