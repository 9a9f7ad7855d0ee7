package io.kvbm.remote;

import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;

import io.kvbm.error.LayoutException;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.FullyContiguousLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;

/** One block set in the form of dynamo-llm 0.2.1: the JSON text inside the text of {@link BlocksetJson}. */
final class ReferenceLayoutJson {

    private static final String FULLY_CONTIGUOUS = "FullyContiguous";

    private static final Set<String> BODY = Set.of("config", "base_offset", "storage_descriptors", "storage_type");
    private static final Set<String> CONFIG = Set.of("inner", "memory_region_size", "layer_stride_in_bytes",
            "natural_block_stride", "block_stride_in_bytes", "layout_data_bytes");
    private static final Set<String> INNER = Set.of("num_blocks", "num_layers", "page_size", "inner_dim", "alignment",
            "dtype");
    private static final Set<String> DESCRIPTOR = Set.of("addr", "size", "mem_type", "device_id");

    private static final Set<DType> DTYPES = EnumSet.of(DType.FP8, DType.FP16, DType.BF16, DType.FP32, DType.U8,
            DType.U16, DType.U32, DType.U64, DType.I8, DType.I16, DType.I32, DType.I64);

    /** Kinds of memory that the reference can name, but lets no block lie in. */
    private static final Set<String> ELSEWHERE = Set.of("Block", "Object", "File", "Unknown");

    private final JsonFields json;
    private final int blockSet;
    private final Map<String, Long> sizes = new HashMap<>();
    private final Map<String, Integer> dimensions = new HashMap<>();
    private @Nullable DType dtype;
    private @Nullable StorageType storageType;
    private @Nullable Descriptor descriptor;
    private long baseOffset;

    private record Descriptor(long address, long size, String memoryType, int device) {}

    private ReferenceLayoutJson(JsonFields json, int blockSet) {
        this.json = json;
        this.blockSet = blockSet;
    }

    /**
     * Reads one block set.
     *
     * @return the block set, or nothing where its memory is of a kind that no block can lie in
     * @throws RemoteException {@code MALFORMED}, or {@code UNSUPPORTED_LAYOUT} where the layout is of another type
     */
    static Optional<ExportedLevel> read(int blockSet, byte[] utf8) {
        return JsonFields.read(utf8, "The layout of block set " + blockSet,
                json -> new ReferenceLayoutJson(json, blockSet).read());
    }

    private Optional<ExportedLevel> read() {
        json.anyObject(type -> {
            if (!type.equals(FULLY_CONTIGUOUS)) {
                throw unsupported(blockSet, "is of type " + Refusal.quoted(type));
            }
            if (descriptor != null) {
                throw json.malformed("it is given twice");
            }
            json.object(BODY, this::readBody);
        });
        Descriptor memory = descriptor;
        StorageType type = storageType;
        if (memory == null || type == null) {
            throw json.malformed("it is empty");
        }
        LayoutConfig config = config();
        requireDerived(config);
        if (ELSEWHERE.contains(memory.memoryType())) {
            return Optional.empty();
        }
        if (!memory.memoryType().equals(memoryType(type)) || memory.device() != device(type)) {
            throw json.malformed("memory of kind " + memory.memoryType() + ", device " + memory.device()
                    + " is no storage of kind " + type);
        }
        return Optional.of(new ExportedLevel(blockSet, levelOf(type), LayoutType.FULLY_CONTIGUOUS, config,
                List.of(new ExportedMemory(type, memory.address(), memory.size(), baseOffset)), null));
    }

    private void readBody(String name) {
        switch (name) {
            case "config" -> json.object(CONFIG, this::readConfig);
            case "base_offset" -> baseOffset = json.unsigned();
            case "storage_descriptors" -> json.array(this::readDescriptor);
            case "storage_type" -> storageType = readStorageType();
            default -> throw new AssertionError(name);
        }
    }

    private void readConfig(String name) {
        if (name.equals("inner")) {
            json.object(INNER, this::readInner);
        } else {
            sizes.put(name, json.unsigned());
        }
    }

    private void readInner(String name) {
        if (name.equals("dtype")) {
            String value = json.string();
            dtype = DTYPES.stream()
                    .filter(known -> known.name().equals(value))
                    .findFirst()
                    .orElseThrow(() -> json.malformed("dtype " + Refusal.quoted(value) + " is not known"));
        } else {
            dimensions.put(name, json.smallNumber(Integer.MAX_VALUE));
        }
    }

    private void readDescriptor() {
        if (descriptor != null) {
            throw json.malformed("it lies in more than one memory");
        }
        Map<String, Long> numbers = new HashMap<>();
        StringBuilder memoryType = new StringBuilder();
        json.object(DESCRIPTOR, name -> {
            switch (name) {
                case "mem_type" -> memoryType.append(json.string());
                case "device_id" -> numbers.put(name, (long) json.smallNumber(Integer.MAX_VALUE));
                default -> numbers.put(name, json.unsigned());
            }
        });
        descriptor = new Descriptor(value(numbers, "addr"), value(numbers, "size"), memoryType.toString(),
                Math.toIntExact(value(numbers, "device_id")));
    }

    private StorageType readStorageType() {
        if (json.isString()) {
            String name = json.string();
            return switch (name) {
                case "System" -> new StorageType.System();
                case "Pinned" -> new StorageType.Pinned();
                case "Nixl" -> new StorageType.Nixl();
                case "Null" -> new StorageType.Null();
                default -> throw json.malformed("storage type " + Refusal.quoted(name) + " is not known");
            };
        }
        int[] ordinal = {0};
        json.object(Set.of("Device"), _ -> ordinal[0] = json.smallNumber(Integer.MAX_VALUE));
        return new StorageType.Device(ordinal[0]);
    }

    private LayoutConfig config() {
        DType known = dtype;
        if (known == null) {
            throw json.malformed("dtype is missing");
        }
        return LayoutConfig.builder()
                .numBlocks(value(dimensions, "num_blocks"))
                .numLayers(value(dimensions, "num_layers"))
                .pageSize(value(dimensions, "page_size"))
                .innerDim(value(dimensions, "inner_dim"))
                .alignment(value(dimensions, "alignment"))
                .dtype(known)
                .build();
    }

    private <N> N value(Map<String, N> numbers, String name) {
        N value = numbers.get(name);
        if (value == null) {
            throw json.malformed("field " + Refusal.quoted(name) + " is missing");
        }
        return value;
    }

    private void requireDerived(LayoutConfig config) {
        Map<String, Long> derived;
        try {
            derived = sizes(config);
        } catch (LayoutException e) {
            throw Refusal.malformed("Block set " + blockSet + " has an impossible layout: " + e.getMessage(), e);
        }
        if (!sizes.equals(derived)) {
            throw Refusal.malformed("Block set " + blockSet + " states the sizes " + sizes
                    + ", but its dimensions make them " + derived);
        }
    }

    private static Map<String, Long> sizes(LayoutConfig config) {
        if (!(BlockLayout.of(config, LayoutType.FULLY_CONTIGUOUS) instanceof FullyContiguousLayout layout)) {
            throw new AssertionError(config);
        }
        return Map.of("memory_region_size", layout.regionSize(), "layer_stride_in_bytes", layout.layerSize(),
                "natural_block_stride", layout.bytesPerBlock(), "block_stride_in_bytes", layout.blockStride(),
                "layout_data_bytes", layout.dataBytes());
    }

    /**
     * Writes one block set.
     *
     * @throws RemoteException {@code UNSUPPORTED_LAYOUT} where the reference has no words for it
     */
    static byte[] write(ExportedLevel level) {
        LayoutConfig config = level.layout();
        int blockSet = level.blockSet();
        StorageType type = level.storageType();
        if (level.layoutType() != LayoutType.FULLY_CONTIGUOUS) {
            throw unsupported(blockSet, "is of type " + level.layoutType());
        }
        if (config.outerDim() != 1) {
            throw unsupported(blockSet, "has " + config.outerDim() + " outer parts");
        }
        if (!DTYPES.contains(config.dtype())) {
            throw unsupported(blockSet, "has elements of type " + config.dtype());
        }
        if (!ExportedLevel.isHost(type) && !(type instanceof StorageType.Device)) {
            throw unsupported(blockSet, "lies in memory of kind " + type);
        }
        if (level.level() != levelOf(type)) {
            throw unsupported(blockSet, "is of level " + level.level() + " in memory of kind " + type);
        }
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JsonFields.JSON.createGenerator(ObjectWriteContext.empty(), text)) {
            json.writeStartObject();
            json.writeObjectPropertyStart(FULLY_CONTIGUOUS);
            writeConfig(json, config);
            ExportedMemory memory = level.memory().getFirst();
            json.writeNumberProperty("base_offset", memory.baseOffset());
            json.writeArrayPropertyStart("storage_descriptors");
            json.writeStartObject();
            writeUnsigned(json, "addr", memory.address());
            json.writeNumberProperty("size", memory.size());
            json.writeStringProperty("mem_type", memoryType(type));
            json.writeNumberProperty("device_id", device(type));
            json.writeEndObject();
            json.writeEndArray();
            writeStorageType(json, type);
            json.writeEndObject();
            json.writeEndObject();
        }
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void writeConfig(JsonGenerator json, LayoutConfig config) {
        json.writeObjectPropertyStart("config");
        json.writeObjectPropertyStart("inner");
        json.writeNumberProperty("num_blocks", config.numBlocks());
        json.writeNumberProperty("num_layers", config.numLayers());
        json.writeNumberProperty("page_size", config.pageSize());
        json.writeNumberProperty("inner_dim", config.innerDim());
        json.writeNumberProperty("alignment", config.alignment());
        json.writeStringProperty("dtype", config.dtype().name());
        json.writeEndObject();
        Map<String, Long> sizes = sizes(config);
        for (String name : List.of("memory_region_size", "layer_stride_in_bytes", "natural_block_stride",
                "block_stride_in_bytes", "layout_data_bytes")) {
            json.writeNumberProperty(name, sizes.getOrDefault(name, 0L));
        }
        json.writeEndObject();
    }

    private static void writeStorageType(JsonGenerator json, StorageType type) {
        switch (type) {
            case StorageType.System _ -> json.writeStringProperty("storage_type", "System");
            case StorageType.Pinned _ -> json.writeStringProperty("storage_type", "Pinned");
            case StorageType.Nixl _ -> json.writeStringProperty("storage_type", "Nixl");
            case StorageType.Null _ -> json.writeStringProperty("storage_type", "Null");
            case StorageType.Device(int ordinal) -> {
                json.writeObjectPropertyStart("storage_type");
                json.writeNumberProperty("Device", ordinal);
                json.writeEndObject();
            }
        }
    }

    static void writeUnsigned(JsonGenerator json, String name, long value) {
        json.writeName(name);
        json.writeNumber(new BigInteger(Long.toUnsignedString(value)));
    }

    private static String memoryType(StorageType type) {
        return switch (type) {
            case StorageType.System _,StorageType.Pinned _ -> "Dram";
            case StorageType.Device _ -> "Vram";
            case StorageType.Nixl _,StorageType.Null _ -> "Unknown";
        };
    }

    private static int device(StorageType type) {
        return type instanceof StorageType.Device(int ordinal) ? ordinal : 0;
    }

    /** The level that memory of this kind belongs to, which the form does not say. */
    static CacheLevel levelOf(StorageType type) {
        return type instanceof StorageType.Device ? CacheLevel.G1 : CacheLevel.G2;
    }

    private static RemoteException unsupported(int blockSet, String what) {
        return new RemoteException(RemoteException.Kind.UNSUPPORTED_LAYOUT, "Block set " + blockSet + " " + what
                + "; the reference's JSON form carries fully contiguous blocks in host or GPU memory only, exchange others"
                + " in the compact form");
    }
}
