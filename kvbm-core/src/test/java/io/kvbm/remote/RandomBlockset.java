package io.kvbm.remote;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;

import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.token.ContentFingerprint;

/** Blocksets of every shape the format has, small and large, that contradict themselves nowhere. */
final class RandomBlockset {

    private static final String[] REFERENCE_DTYPES = {"FP8", "FP16", "BF16", "FP32", "U8", "U16", "U32", "U64", "I8",
        "I16", "I32", "I64"};

    private final Random random;
    private final Map<StorageType, Long> nextAddress = new HashMap<>();
    private final long pid;
    private int nextDescriptor;

    private RandomBlockset(Random random) {
        this.random = random;
        this.pid = random.nextInt(1, Integer.MAX_VALUE);
        this.nextDescriptor = random.nextInt(1000);
    }

    static Blockset any(Random random) {
        return new RandomBlockset(random).blockset();
    }

    /** A blockset that the reference's JSON form can carry, as it looks when it has been through it. */
    static Blockset ofReference(Random random) {
        RandomBlockset source = new RandomBlockset(random);
        List<ExportedLevel> levels = new ArrayList<>();
        for (int set : source.numbers()) {
            levels.add(source.level(set, LayoutType.FULLY_CONTIGUOUS, 1, true));
        }
        return new Blockset(random.nextLong(), 0, null, levels, source.metadata());
    }

    private Blockset blockset() {
        List<ExportedLevel> levels = new ArrayList<>();
        for (int set : numbers()) {
            LayoutType type = pick(LayoutType.values());
            levels.add(level(set, type, random.nextInt(4) == 0 ? 1 + random.nextInt(100) : 1 + random.nextInt(3),
                    false));
        }
        return new Blockset(random.nextLong(), random.nextLong(), random.nextInt(4) == 0 ? null : fingerprint(), levels,
                metadata());
    }

    private List<Integer> numbers() {
        List<Integer> numbers = new ArrayList<>(IntStream.range(0, 20).boxed().toList());
        Collections.shuffle(numbers, random);
        numbers.set(0, random.nextInt(20, Integer.MAX_VALUE));
        return numbers.subList(0, random.nextInt(Blockset.MAX_LEVELS + 1));
    }

    private ContentFingerprint fingerprint() {
        return ContentFingerprint.ofBytes(bytes(ContentFingerprint.BYTES));
    }

    private byte[] metadata() {
        return switch (random.nextInt(4)) {
            case 0 -> bytes(random.nextInt(2000));
            case 1 -> bytes(1);
            default -> new byte[0];
        };
    }

    private byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private ExportedLevel level(int set, LayoutType type, int outer, boolean reference) {
        int layers = random.nextInt(10) == 0 ? 1 + random.nextInt(Blockset.MAX_MEMORIES / Blockset.MAX_LEVELS)
                : 1 + random.nextInt(8);
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(1 + random.nextInt(random.nextBoolean() ? 10 : 1 << 20))
                .numLayers(layers)
                .outerDim(outer)
                .pageSize(1 + random.nextInt(64))
                .innerDim(1 + random.nextInt(2048))
                .alignment(1 << random.nextInt(21))
                .dtype(reference ? DType.valueOf(pick(REFERENCE_DTYPES)) : pick(DType.values()))
                .build();
        StorageType storage = switch (random.nextInt(reference ? 4 : 6)) {
            case 0, 1 -> new StorageType.System();
            case 2 -> new StorageType.Pinned();
            case 3 -> new StorageType.Device(random.nextInt(3));
            case 4 -> new StorageType.Null();
            default -> new StorageType.Nixl();
        };
        BlockLayout layout = BlockLayout.of(config, type);
        List<ExportedMemory> memory = new ArrayList<>();
        for (int i = 0; i < layout.storageCount(); i++) {
            memory.add(memory(layout, storage));
        }
        CacheLevel level = reference ? ReferenceLayoutJson.levelOf(storage) : pick(CacheLevel.values());
        return new ExportedLevel(set, level, type, config, memory,
                !reference && random.nextBoolean() && ExportedLevel.isHost(storage) ? shared(memory.size()) : null);
    }

    private ExportedMemory memory(BlockLayout layout, StorageType storage) {
        StorageType space = ExportedLevel.isHost(storage) ? new StorageType.System() : storage;
        long start = nextAddress.computeIfAbsent(space, _ -> random.nextLong() & ~(1L << 62) & ~(1L << 61));
        long address = start + random.nextInt(1 << 20);
        long baseOffset = layout.baseOffset(address);
        long size = baseOffset + layout.dataBytes() + (random.nextBoolean() ? 0 : random.nextInt(1 << 20));
        nextAddress.put(space, address + size);
        return new ExportedMemory(storage, address, size, baseOffset);
    }

    private @Nullable SharedMemoryAddress shared(int memories) {
        int board = nextDescriptor++;
        List<Integer> descriptors = IntStream.range(0, memories).map(_ -> nextDescriptor++).boxed().toList();
        return new SharedMemoryAddress(pid, random.nextLong() | 1, random.nextLong(), board, descriptors);
    }

    private <T> T pick(T[] values) {
        return values[random.nextInt(values.length)];
    }
}
