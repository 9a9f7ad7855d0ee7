package io.kvbm.block;

import java.io.StringWriter;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.OptionalLong;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

import io.kvbm.error.DescriptorException;

/**
 * The JSON form of a {@link BlockDescriptorList}: {@code worker_id}, {@code block_set_idx}, {@code mutability} and
 * {@code block_indices} as in dynamo-llm 0.2.1, 64-bit numbers as unsigned decimals; {@code epoch} and
 * {@code generations} are optional. Unknown fields are refused, as nothing says what leaving them out would mean.
 */
final class BlockDescriptorJson {

    private static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(2).maxNumberLength(20).maxNameLength(32).build())
            .build();

    private @Nullable Long workerId;
    private @Nullable Integer blockSet;
    private @Nullable MutabilityKind mutability;
    private int @Nullable [] indices;
    private @Nullable Long epoch;
    private long @Nullable [] generations;

    private BlockDescriptorJson() {}

    static String write(BlockDescriptorList list) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(ObjectWriteContext.empty(), text)) {
            json.writeStartObject();
            json.writeName("worker_id");
            json.writeNumber(unsigned(list.workerId()));
            json.writeNumberProperty("block_set_idx", list.blockSet());
            json.writeStringProperty("mutability", list.mutability().jsonName());
            json.writeArrayPropertyStart("block_indices");
            for (int i = 0; i < list.size(); i++) {
                json.writeNumber(list.index(i));
            }
            json.writeEndArray();
            if (list.epoch().isPresent()) {
                json.writeName("epoch");
                json.writeNumber(unsigned(list.epoch().getAsLong()));
            }
            if (list.generation(0).isPresent()) {
                json.writeArrayPropertyStart("generations");
                for (int i = 0; i < list.size(); i++) {
                    json.writeNumber(unsigned(list.generation(i).getAsLong()));
                }
                json.writeEndArray();
            }
            json.writeEndObject();
        }
        return text.toString();
    }

    static BlockDescriptorList read(String text) {
        BlockDescriptorJson fields = new BlockDescriptorJson();
        try (JsonParser json = JSON.createParser(ObjectReadContext.empty(), text)) {
            fields.readObject(json);
        } catch (JacksonException e) {
            throw malformed("it is no JSON object of the expected form: " + e.getOriginalMessage(), e);
        }
        return fields.toList();
    }

    private void readObject(JsonParser json) {
        expect(json.nextToken(), JsonToken.START_OBJECT, "the list");
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = json.currentName();
            json.nextToken();
            switch (name) {
                case "worker_id" -> workerId = once(name, workerId, unsigned(json, name));
                case "block_set_idx" -> blockSet = once(name, blockSet, index(json, name));
                case "mutability" -> mutability = once(name, mutability, mutability(json));
                case "block_indices" -> indices = once(name, indices, indices(json, name));
                case "epoch" -> epoch = once(name, epoch, unsigned(json, name));
                case "generations" -> generations = once(name, generations, generations(json, name));
                default -> throw malformed("field '" + name + "' is not known", null);
            }
        }
        if (json.nextToken() != null) {
            throw malformed("something follows the object", null);
        }
    }

    private BlockDescriptorList toList() {
        return BlockDescriptorList.of(present("worker_id", workerId), present("block_set_idx", blockSet),
                present("mutability", mutability), present("block_indices", indices),
                epoch == null ? OptionalLong.empty() : OptionalLong.of(epoch), generations);
    }

    private static <T> T once(String name, @Nullable T before, T value) {
        if (before != null) {
            throw malformed("field '" + name + "' is given twice", null);
        }
        return value;
    }

    private static <T> T present(String name, @Nullable T value) {
        if (value == null) {
            throw malformed("field '" + name + "' is missing", null);
        }
        return value;
    }

    private static MutabilityKind mutability(JsonParser json) {
        expect(json.currentToken(), JsonToken.VALUE_STRING, "mutability");
        String name = json.getString();
        return Arrays.stream(MutabilityKind.values())
                .filter(kind -> kind.jsonName().equals(name))
                .findFirst()
                .orElseThrow(() -> malformed("mutability is neither Mutable nor Immutable", null));
    }

    private static int[] indices(JsonParser json, String name) {
        expect(json.currentToken(), JsonToken.START_ARRAY, name);
        int[] values = new int[16];
        int n = 0;
        while (json.nextToken() != JsonToken.END_ARRAY) {
            values = n == values.length ? Arrays.copyOf(values, grown(n, name)) : values;
            values[n++] = index(json, name);
        }
        return Arrays.copyOf(values, n);
    }

    private static long[] generations(JsonParser json, String name) {
        expect(json.currentToken(), JsonToken.START_ARRAY, name);
        long[] values = new long[16];
        int n = 0;
        while (json.nextToken() != JsonToken.END_ARRAY) {
            values = n == values.length ? Arrays.copyOf(values, grown(n, name)) : values;
            values[n++] = unsigned(json, name);
        }
        return Arrays.copyOf(values, n);
    }

    private static int grown(int n, String name) {
        if (n >= BlockDescriptorList.MAX_BLOCKS) {
            throw malformed("field '" + name + "' has more than " + BlockDescriptorList.MAX_BLOCKS + " elements", null);
        }
        return n * 2;
    }

    private static int index(JsonParser json, String name) {
        long value = unsigned(json, name);
        if (value < 0 || value > Integer.MAX_VALUE) {
            throw malformed("field '" + name + "' has " + Long.toUnsignedString(value) + ", which is no block index",
                    null);
        }
        return (int) value;
    }

    private static long unsigned(JsonParser json, String name) {
        expect(json.currentToken(), JsonToken.VALUE_NUMBER_INT, name);
        BigInteger value = json.getBigIntegerValue();
        if (value.signum() < 0 || value.bitLength() > Long.SIZE) {
            throw malformed("field '" + name + "' has " + value + ", which is no unsigned 64-bit number", null);
        }
        return value.longValue();
    }

    private static BigInteger unsigned(long value) {
        return new BigInteger(Long.toUnsignedString(value));
    }

    private static void expect(@Nullable JsonToken token, JsonToken expected, String name) {
        if (token != expected) {
            throw malformed(name + " starts with " + token + " instead of " + expected, null);
        }
    }

    private static DescriptorException malformed(String why, @Nullable Throwable cause) {
        return new DescriptorException(DescriptorException.Kind.SERIALIZATION,
                "The text is not a block descriptor list: " + why, cause);
    }
}
