package io.kvbm.token;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

import io.kvbm.error.ConfigException;

/** The digest function of fingerprints and identities, and the encoding of text that goes into it. */
final class Sha256 {

    static final int BYTES = 32;
    static final int WORDS = 4;

    private Sha256() {}

    static MessageDigest newDigest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    /** The length in bytes as four bytes, little endian, then the bytes. */
    static void updatePrefixed(MessageDigest digest, byte[] field) {
        digest.update(
                ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(field.length).array());
        digest.update(field);
    }

    /**
     * The text in UTF-8. A text that is no valid Unicode is refused: an encoder would replace what it cannot encode,
     * and two different texts would become one.
     */
    static byte[] utf8(String name, String text) {
        try {
            ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] bytes = new byte[encoded.remaining()];
            encoded.get(bytes);
            return bytes;
        } catch (CharacterCodingException e) {
            throw new ConfigException(ConfigException.Kind.INVALID, name + " of " + text.length()
                    + " characters is no valid Unicode (an unpaired surrogate); pass text that UTF-8 can encode", e);
        }
    }
}
