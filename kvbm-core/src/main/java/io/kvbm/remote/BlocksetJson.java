package io.kvbm.remote;

import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;

import io.kvbm.error.RemoteException;

/**
 * The JSON form of a {@link Blockset} in dynamo-llm 0.2.1: {@code block_sets}, {@code nixl_metadata} and
 * {@code worker_id}. Each block set is a JSON text of its own, in UTF-8, given as an array of numbers; its sizes follow
 * from its dimensions and are derived again when it is read.
 *
 * <p>
 * The form knows neither epoch, fingerprint nor shared memory. What is read has the epoch 0 and no fingerprint, so that
 * nothing in it is ever a hit.
 */
public final class BlocksetJson {

    /** The length of a text in bytes at most; agent metadata takes up to four bytes of text for each of its own. */
    public static final int MAX_BYTES = 2 << 20;

    private static final int MAX_LAYOUT_BYTES = 4096;
    private static final Set<String> FIELDS = Set.of("block_sets", "nixl_metadata", "worker_id");

    private static final Logger log = LoggerFactory.getLogger(BlocksetJson.class);

    private final JsonFields json;
    private final List<ExportedLevel> levels = new ArrayList<>();
    private final List<String> numbers = new ArrayList<>();
    private byte[] agentMetadata = new byte[0];
    private long workerId;

    private BlocksetJson(JsonFields json) {
        this.json = json;
    }

    /**
     * The text in UTF-8, without epoch, fingerprint and shared memory.
     *
     * @throws RemoteException {@code UNSUPPORTED_LAYOUT} where the form has no words for a block set
     */
    public static byte[] write(Blockset blockset) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JsonFields.JSON.createGenerator(ObjectWriteContext.empty(), text)) {
            json.writeStartObject();
            json.writeObjectPropertyStart("block_sets");
            for (ExportedLevel level : blockset.levels()) {
                writeBytes(json, Integer.toString(level.blockSet()), ReferenceLayoutJson.write(level));
            }
            json.writeEndObject();
            writeBytes(json, "nixl_metadata", blockset.agentMetadata());
            ReferenceLayoutJson.writeUnsigned(json, "worker_id", blockset.workerId());
            json.writeEndObject();
        }
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void writeBytes(JsonGenerator json, String name, byte[] bytes) {
        json.writeArrayPropertyStart(name);
        for (byte value : bytes) {
            json.writeNumber(Byte.toUnsignedInt(value));
        }
        json.writeEndArray();
    }

    /**
     * Reads the text. Block sets in memory that is neither of a host nor of a GPU are left out with a line in the log, as
     * the reference does.
     *
     * @throws RemoteException {@code MALFORMED}, {@code UNSUPPORTED_LAYOUT} where a layout is not fully contiguous, or
     *         {@code LIMIT}, whatever the bytes are
     */
    public static Blockset read(byte[] utf8) {
        if (utf8.length > MAX_BYTES) {
            throw Refusal.tooMuch("The length of the blockset in bytes", utf8.length, MAX_BYTES);
        }
        return JsonFields.read(utf8, "The blockset", json -> new BlocksetJson(json).read());
    }

    private Blockset read() {
        json.object(FIELDS, name -> {
            switch (name) {
                case "block_sets" -> json.anyObject(this::readBlockSet);
                case "nixl_metadata" -> agentMetadata = json.bytes(Blockset.MAX_AGENT_METADATA);
                case "worker_id" -> workerId = json.unsigned();
                default -> throw new AssertionError(name);
            }
        });
        return new Blockset(workerId, 0, null, levels, agentMetadata);
    }

    private void readBlockSet(String number) {
        if (numbers.size() == Blockset.MAX_LEVELS) {
            throw Refusal.tooMuch("The number of block sets", numbers.size() + 1L, Blockset.MAX_LEVELS);
        }
        if (numbers.contains(number)) {
            throw json.malformed("block set " + number + " is given twice");
        }
        numbers.add(number);
        int blockSet = blockSet(number);
        ReferenceLayoutJson.read(blockSet, json.bytes(MAX_LAYOUT_BYTES))
                .ifPresentOrElse(levels::add,
                        () -> log.warn("Block set {} of a reference worker is left out: its memory is of a kind that "
                                + "no block can lie in", blockSet));
    }

    private int blockSet(String number) {
        long value = number.matches("0|[1-9][0-9]{0,9}") ? Long.parseLong(number) : -1;
        if (value < 0 || value > Integer.MAX_VALUE) {
            throw json.malformed(Refusal.quoted(number) + " is no block set number from 0 to " + Integer.MAX_VALUE);
        }
        return (int) value;
    }
}
