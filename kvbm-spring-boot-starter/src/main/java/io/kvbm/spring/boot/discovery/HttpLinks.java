package io.kvbm.spring.boot.discovery;

import java.net.http.HttpClient;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.Executors;

import org.jspecify.annotations.Nullable;
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

/** The ways to other instances: HTTP, with addresses that are the URLs of their {@link WorkerFilter}s. */
final class HttpLinks implements PeerLinks, AutoCloseable {

    private final HttpClient http;
    private final RestClient quick;
    private final RestClient patient;
    private final Duration timeout;
    private final Duration pullTimeout;

    /**
     * Ways to instances.
     *
     * @param timeout the time for an answer to everything but a pull
     * @param pullTimeout the time for an answer to a pull, which moves blocks first
     */
    HttpLinks(@Nullable MessageSigner signer, InstantSource clock, HttpClient.Builder http, Duration timeout,
            Duration pullTimeout) {
        this.http = http.connectTimeout(timeout)
                .executor(Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("kvbm-http-", 0).factory()))
                .followRedirects(HttpClient.Redirect.NEVER)
                .build();
        MemberInterceptor member = new MemberInterceptor(signer, clock);
        this.timeout = timeout;
        this.pullTimeout = pullTimeout.plus(timeout);
        this.quick = client(this.http, this.timeout, member);
        this.patient = client(this.http, this.pullTimeout, member);
    }

    private static RestClient client(HttpClient http, Duration timeout, MemberInterceptor member) {
        JdkClientHttpRequestFactory factory = new JdkClientHttpRequestFactory(http);
        factory.setReadTimeout(timeout);
        factory.enableCompression(false); // nothing is unpacked that is not known to be from a member
        return RestClient.builder().requestFactory(factory).requestInterceptor(member).build();
    }

    @Override
    public PeerLink to(String address) {
        return new Link(address);
    }

    @Override
    public void close() {
        http.shutdownNow();
    }

    private final class Link implements PeerLink {

        private final String address;
        private volatile @Nullable WorkerApi quickly;
        private volatile @Nullable WorkerApi patiently;

        private Link(String address) {
            this.address = address;
        }

        @Override
        public PeerAnswer ask(PeerRequest request) {
            long started = System.nanoTime();
            try {
                return ControlCodec.decodeAnswer(send(request));
            } catch (RestClientException | IllegalArgumentException e) {
                Duration limit = request instanceof PeerRequest.Pull ? pullTimeout : timeout;
                throw failed(e, System.nanoTime() - started >= limit.toNanos());
            }
        }

        private byte[] send(PeerRequest request) {
            String asker = Long.toUnsignedString(request.asker());
            return switch (request) {
                case PeerRequest.State _ -> quickly().state(asker);
                case PeerRequest.Export _ -> quickly().blockset(asker);
                case PeerRequest.Pull _ -> patiently().ask(ControlCodec.encode(request));
                default -> quickly().ask(ControlCodec.encode(request));
            };
        }

        private WorkerApi quickly() {
            WorkerApi api = quickly;
            if (api == null) {
                api = api(quick);
                quickly = api;
            }
            return api;
        }

        private WorkerApi patiently() {
            WorkerApi api = patiently;
            if (api == null) {
                api = api(patient);
                patiently = api;
            }
            return api;
        }

        /** Made when it is first used: an address that makes no sense fails every question, and nothing else. */
        private WorkerApi api(RestClient client) {
            return HttpServiceProxyFactory
                    .builderFor(RestClientAdapter.create(client.mutate().baseUrl(address).build()))
                    .build()
                    .createClient(WorkerApi.class);
        }

        /** An answer that has begun and does not end is cut off at the limit, with an exception that does not say so. */
        private RemoteException failed(RuntimeException e, boolean late) {
            if (late) {
                return new RemoteException(RemoteException.Kind.DEADLINE, address + " did not answer in time", e);
            }
            return new RemoteException(RemoteException.Kind.TRANSPORT, address + " was not reached: "
                    + e.getMessage(), e);
        }

        @Override
        public String toString() {
            return address;
        }
    }
}
