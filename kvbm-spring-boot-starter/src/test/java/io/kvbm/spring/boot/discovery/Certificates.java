package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslStoreBundle;

/**
 * Certificates that keytool has made, once: those of {@link #ONE} and {@link #OTHER} are of the cluster's authority, that
 * of {@link #FOREIGNER} is not.
 */
final class Certificates {

    static final String ONE = "one";
    static final String OTHER = "other";
    static final String FOREIGNER = "foreigner";
    static final String AUTHORITY = "authority";
    static final String FOREIGN_AUTHORITY = "foreign-authority";

    private static final String PASSWORD = "changeit";
    private static final Certificates MADE = make();

    private final Path folder;
    private final KeyStore all;

    private Certificates(Path folder, KeyStore all) {
        this.folder = folder;
        this.all = all;
    }

    static Certificates made() {
        return MADE;
    }

    private static Certificates make() {
        try {
            Path folder = Files.createTempDirectory("kvbm-certificates");
            folder.toFile().deleteOnExit();
            for (String authority : List.of(AUTHORITY, FOREIGN_AUTHORITY)) {
                keytool(folder, "-alias", authority, "-dname", "CN=" + authority, "-ext", "bc:c");
            }
            for (String name : List.of(ONE, OTHER, FOREIGNER)) {
                keytool(folder, "-alias", name, "-dname", "CN=" + name, "-ext", "san=dns:localhost,ip:127.0.0.1",
                        "-signer", name.equals(FOREIGNER) ? FOREIGN_AUTHORITY : AUTHORITY);
            }
            KeyStore all = KeyStore.getInstance("PKCS12");
            try (InputStream in = Files.newInputStream(store(folder, "all"))) {
                all.load(in, PASSWORD.toCharArray());
            }
            return new Certificates(folder, all);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void keytool(Path folder, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-J-XX:TieredStopAtLevel=1", "-genkeypair", "-keystore", store(folder, "all").toString(),
                "-storetype", "PKCS12", "-storepass", PASSWORD, "-keyalg", "EC", "-validity", "30"));
        command.addAll(Arrays.asList(arguments));
        Process keytool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (keytool.waitFor() != 0) {
                throw new IOException("keytool made nothing: " + said);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }

    private static Path store(Path folder, String name) {
        Path store = folder.resolve(name + ".p12");
        store.toFile().deleteOnExit();
        return store;
    }

    /** The certificate under a name, and what leads from there to its authority. */
    List<X509Certificate> chain(String name) {
        try {
            return Arrays.stream(all.getCertificateChain(name)).map(X509Certificate.class::cast).toList();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A bundle with the key of a name, which trusts these authorities. */
    SslBundle bundle(String name, String... authorities) {
        return SslBundle.of(SslStoreBundle.of(keys(name), PASSWORD, trust(authorities)));
    }

    /** What Spring Boot makes such a bundle of. */
    List<String> properties(String bundle, String name, String... authorities) {
        String prefix = "spring.ssl.bundle.jks." + bundle + ".";
        return List.of(prefix + "keystore.location=file:" + written("keys-" + name, keys(name)),
                prefix + "keystore.password=" + PASSWORD, prefix + "keystore.type=PKCS12",
                prefix + "truststore.location=file:" + written("trust-" + String.join("-", authorities),
                        trust(authorities)),
                prefix + "truststore.password=" + PASSWORD, prefix + "truststore.type=PKCS12");
    }

    private KeyStore keys(String name) {
        try {
            KeyStore keys = KeyStore.getInstance("PKCS12");
            keys.load(null, null);
            keys.setKeyEntry(name, all.getKey(name, PASSWORD.toCharArray()), PASSWORD.toCharArray(),
                    chain(name).toArray(Certificate[]::new));
            return keys;
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private KeyStore trust(String... authorities) {
        try {
            KeyStore trust = KeyStore.getInstance("PKCS12");
            trust.load(null, null);
            for (String authority : authorities) {
                trust.setCertificateEntry(authority, all.getCertificate(authority));
            }
            return trust;
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private Path written(String name, KeyStore store) {
        Path path = store(folder, name);
        try (OutputStream out = Files.newOutputStream(path)) {
            store.store(out, PASSWORD.toCharArray());
            return path;
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }
}
