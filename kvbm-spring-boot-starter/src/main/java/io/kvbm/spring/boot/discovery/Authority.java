package io.kvbm.spring.boot.discovery;

import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.List;

import javax.net.ssl.X509TrustManager;

import org.springframework.boot.ssl.SslBundle;

import io.kvbm.spring.boot.autoconfigure.InvalidKvbmPropertyException;

/**
 * Vouches for instances by the certificates that they show: what the trust store of the cluster's SSL bundle leads to. The
 * web server has its own, which may trust many more, such as every customer.
 */
final class Authority {

    private final X509TrustManager trust;

    private Authority(X509TrustManager trust) {
        this.trust = trust;
    }

    /** The authority of a bundle, which needs a trust store: without one the JDK's would count, and so all the world. */
    static Authority of(SslBundle bundle, String name) {
        if (bundle.getStores().getTrustStore() == null) {
            throw new InvalidKvbmPropertyException("kvbm.cluster.ssl-bundle", "is " + name
                    + ", which has no trust store",
                    "Give it one with the authority of the instances' certificates,"
                            + " or set kvbm.cluster.key.");
        }
        return new Authority(Arrays.stream(bundle.getManagers().getTrustManagers())
                .filter(X509TrustManager.class::isInstance)
                .map(X509TrustManager.class::cast)
                .findFirst()
                .orElseThrow());
    }

    /**
     * Whether a client is known by its certificate.
     *
     * @param chain its certificate first, and what leads from there to the authority; empty where it has shown none
     */
    boolean vouchesFor(List<X509Certificate> chain) {
        if (chain.isEmpty()) {
            return false;
        }
        try {
            trust.checkClientTrusted(chain.toArray(X509Certificate[]::new),
                    chain.getFirst().getPublicKey().getAlgorithm());
            return true;
        } catch (CertificateException e) {
            return false;
        }
    }
}
