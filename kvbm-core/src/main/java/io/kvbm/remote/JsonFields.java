package io.kvbm.remote;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

import io.kvbm.error.RemoteException;

/**
 * Reads JSON text of which every object has known fields, each once. Other fields are refused, as nothing says what
 * leaving them out would mean.
 */
final class JsonFields {

    static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(5)
                    .maxNumberLength(20)
                    .maxNameLength(32)
                    .maxStringLength(32)
                    .build())
            .build();

    private final JsonParser json;
    private final String what;

    private JsonFields(JsonParser json, String what) {
        this.json = json;
        this.what = what;
    }

    /**
     * Reads a text that is one JSON value.
     *
     * @throws RemoteException {@code MALFORMED} where it is none, or not the expected one
     */
    static <T> T read(byte[] utf8, String what, Function<JsonFields, T> reader) {
        try (JsonParser json = JSON.createParser(ObjectReadContext.empty(), text(utf8, what))) {
            JsonFields fields = new JsonFields(json, what);
            json.nextToken();
            T value = reader.apply(fields);
            if (json.nextToken() != null) {
                throw fields.malformed("something follows its end");
            }
            return value;
        } catch (JacksonException e) {
            throw Refusal.malformed(what + " is no JSON of the expected form: " + e.getOriginalMessage(), e);
        }
    }

    private static String text(byte[] utf8, String what) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
        } catch (CharacterCodingException e) {
            throw Refusal.malformed(what + " is no UTF-8 text", e);
        }
    }

    /** Reads an object that has exactly these fields; the reader is given the name of each and reads its value. */
    void object(Set<String> names, Consumer<String> field) {
        Set<String> missing = new HashSet<>(names);
        anyObject(name -> {
            if (!missing.remove(name)) {
                throw malformed("field " + Refusal.quoted(name) + " is not known or is given twice");
            }
            field.accept(name);
        });
        if (!missing.isEmpty()) {
            throw malformed("fields are missing: " + missing);
        }
    }

    /** Reads an object that names its fields as it likes. */
    void anyObject(Consumer<String> field) {
        expect(JsonToken.START_OBJECT);
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = json.currentName();
            json.nextToken();
            field.accept(name);
        }
    }

    /** Reads an array; the reader reads one element. */
    void array(Runnable element) {
        expect(JsonToken.START_ARRAY);
        while (json.nextToken() != JsonToken.END_ARRAY) {
            element.run();
        }
    }

    /** Reads an array of numbers that are bytes, {@code limit} at most. */
    byte[] bytes(int limit) {
        expect(JsonToken.START_ARRAY);
        byte[] bytes = new byte[256];
        int length = 0;
        while (json.nextToken() != JsonToken.END_ARRAY) {
            if (length == limit) {
                throw Refusal.tooMuch("A number of bytes in " + what, length + 1L, limit);
            }
            if (length == bytes.length) {
                bytes = Arrays.copyOf(bytes, length * 2);
            }
            bytes[length++] = octet();
        }
        return Arrays.copyOf(bytes, length);
    }

    /** Reads a number from 0 to 255 without an object for its digits, of which a text has a million. */
    private byte octet() {
        expect(JsonToken.VALUE_NUMBER_INT);
        boolean negative = json.getStringCharacters()[json.getStringOffset()] == '-';
        if (negative || json.getStringLength() > 3 || json.getIntValue() > 255) {
            throw malformed("it has " + json.getString() + ", where 0 to 255 is expected");
        }
        return (byte) json.getIntValue();
    }

    boolean isString() {
        return json.currentToken() == JsonToken.VALUE_STRING;
    }

    String string() {
        expect(JsonToken.VALUE_STRING);
        return json.getString();
    }

    /** Reads an unsigned 64-bit number. */
    long unsigned() {
        expect(JsonToken.VALUE_NUMBER_INT);
        String digits = json.getString();
        try {
            return Long.parseUnsignedLong(digits);
        } catch (NumberFormatException e) {
            throw Refusal.malformed(what + " has " + digits + ", which is no unsigned 64-bit number", e);
        }
    }

    /** Reads a number from 0 to a maximum. */
    int smallNumber(int max) {
        long value = unsigned();
        if (value < 0 || value > max) {
            throw malformed("it has " + Long.toUnsignedString(value) + ", where 0 to " + max + " is expected");
        }
        return (int) value;
    }

    RemoteException malformed(String why) {
        return Refusal.malformed(what + " cannot be read: " + why);
    }

    private void expect(JsonToken expected) {
        @Nullable
        JsonToken token = json.currentToken();
        if (token != expected) {
            throw malformed("it has " + token + " where " + expected + " is expected");
        }
    }
}
