package io.kvbm.spring.boot.discovery;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Objects;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

import org.jspecify.annotations.Nullable;

/**
 * Signs what instances ask each other and answer, with HMAC-SHA256 (RFC 2104) under the key that all of them share. A
 * question is signed over its method, path, addressee, time, nonce and the digest of its body, so that it can be asked of
 * nobody else; an answer over the nonce of its question, its status and the digest of its body, so that no answer fits
 * another question.
 */
final class MessageSigner {

    /** Header of the wall milliseconds at which a question was asked. */
    static final String TIME = "Kvbm-Time";

    /** Header of 32 hexadecimal digits that no other question has. */
    static final String NONCE = "Kvbm-Nonce";

    /** Header of the signature in 64 hexadecimal digits. */
    static final String SIGNATURE = "Kvbm-Signature";

    private static final String ALGORITHM = "HmacSHA256";

    private final SecretKeySpec key;

    MessageSigner(String secret) {
        this.key = new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), ALGORITHM);
    }

    /**
     * The signature of a question.
     *
     * @param addressee as {@link Addressee#HEADER} has it; null for whoever sits at the path
     */
    String question(String method, String pathAndQuery, @Nullable String addressee, String time, String nonce,
            byte[] body) {
        return sign("kvbm-question-1\n" + method + '\n' + pathAndQuery + '\n'
                + Objects.requireNonNullElse(addressee, "") + '\n' + time + '\n' + nonce + '\n' + digest(body));
    }

    /** The signature of an answer. */
    String answer(String nonce, int status, byte[] body) {
        return sign("kvbm-answer-1\n" + nonce + '\n' + status + '\n' + digest(body));
    }

    /** Compares in a time that does not depend on where they differ. */
    static boolean isSame(String expected, String given) {
        return MessageDigest.isEqual(expected.getBytes(StandardCharsets.UTF_8),
                given.getBytes(StandardCharsets.UTF_8));
    }

    private String sign(String text) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException | InvalidKeyException e) {
            throw missing(e);
        }
    }

    private static String digest(byte[] body) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
        } catch (NoSuchAlgorithmException e) {
            throw missing(e);
        }
    }

    private static IllegalStateException missing(GeneralSecurityException e) {
        return new IllegalStateException("Every Java platform has SHA-256 and its HMAC", e);
    }
}
