package io.kvbm.remote;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.token.ContentFingerprint;

/**
 * The compact form of a {@link Blockset}, as workers hand it to each other. All numbers are unsigned and big endian.
 *
 * <pre>
 *   document   "kvbm-set", u16 version, u16 least version of a reader, u32 length of the document in bytes,
 *              section..., SHA-256 of all bytes before (32)
 *   section    u16 tag, u32 length of what follows in bytes, the bytes
 *
 *   8001 worker        u64 worker, u64 epoch; once
 *   8002 level         u32 block set, u8 level, u8 layout type, u8 dtype, u8 kind of memory, u32 device,
 *                      u32 blocks, layers, outer parts, page size, inner dimension, alignment,
 *                      u32 memories, for each: u64 address, u64 size, u64 base offset
 *   0003 fingerprint   32 bytes; at most once, left out where the content is unknown
 *   0004 shared        u32 block set, u64 pid, u64 nonce, u64 its lower half, u32 descriptor of the board,
 *                      u32 memories, for each: u32 descriptor
 *   0005 agent         metadata; at most once, left out where there is none
 * </pre>
 *
 * The sections stand in any order. A tag of which the highest bit is set names something without which the document is
 * not understood: a reader that does not know it refuses the document. It skips every other tag that it does not know. A
 * section never grows: what is new comes under a tag of its own.
 */
public final class BlocksetCodec {

    /** The length of a document in bytes at most. */
    public static final int MAX_BYTES = 1 << 20;

    private static final byte[] MAGIC = "kvbm-set".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 1;
    private static final int HEADER_BYTES = MAGIC.length + 2 * Short.BYTES + Integer.BYTES;
    private static final int DIGEST_BYTES = 32;

    private static final int REQUIRED = 0x8000;
    private static final int WORKER = 0x8001;
    private static final int LEVEL = 0x8002;
    private static final int FINGERPRINT = 0x0003;
    private static final int SHARED = 0x0004;
    private static final int AGENT = 0x0005;

    private static final int MEMORY_BYTES = 3 * Long.BYTES;

    // the number of each on the wire is its place here, from 1; new ones come at the end
    private static final List<CacheLevel> LEVELS = List.of(CacheLevel.G1, CacheLevel.G2, CacheLevel.G3, CacheLevel.G4);
    private static final List<LayoutType> LAYOUTS = List.of(LayoutType.FULLY_CONTIGUOUS, LayoutType.LAYER_SEPARATE,
            LayoutType.LAYER_SEPARATE_OUTER_FIRST);
    private static final List<DType> DTYPES = List.of(DType.FP8, DType.FP8_E4M3, DType.FP8_E4M3FNUZ, DType.FP8_E5M2,
            DType.FP8_E5M2FNUZ, DType.FP16, DType.BF16, DType.FP32, DType.U8, DType.U16, DType.U32, DType.U64, DType.I8,
            DType.I16, DType.I32, DType.I64);

    private @Nullable Owner owner;
    private final List<ExportedLevel> levels = new ArrayList<>();
    private final Map<Integer, SharedMemoryAddress> shared = new HashMap<>();
    private @Nullable ContentFingerprint fingerprint;
    private byte @Nullable [] agentMetadata;

    private record Owner(long workerId, long epoch) {}

    private BlocksetCodec() {}

    /** The document. Equal blocksets give equal bytes. */
    public static byte[] encode(Blockset blockset) {
        WireWriter out = new WireWriter();
        out.bytes(MAGIC);
        out.u16(VERSION);
        out.u16(VERSION);
        int length = out.laterCount();
        section(out, WORKER, () -> {
            out.u64(blockset.workerId());
            out.u64(blockset.epoch());
        });
        ContentFingerprint known = blockset.fingerprint();
        if (known != null) {
            section(out, FINGERPRINT, () -> out.bytes(known.bytes()));
        }
        for (ExportedLevel level : blockset.levels()) {
            section(out, LEVEL, () -> writeLevel(out, level));
            SharedMemoryAddress address = level.shared();
            if (address != null) {
                section(out, SHARED, () -> writeShared(out, level.blockSet(), address));
            }
        }
        byte[] metadata = blockset.agentMetadata();
        if (metadata.length > 0) {
            section(out, AGENT, () -> out.bytes(metadata));
        }
        out.setCount(length, out.length() + DIGEST_BYTES);
        byte[] body = out.toBytes();
        out.bytes(sha256(body, body.length));
        return out.toBytes();
    }

    private static void section(WireWriter out, int tag, Runnable content) {
        out.u16(tag);
        int length = out.laterCount();
        content.run();
        out.setCount(length, out.length() - length - Integer.BYTES);
    }

    /**
     * Reads a document.
     *
     * @throws RemoteException {@code MALFORMED}, {@code UNSUPPORTED_VERSION} or {@code LIMIT}, whatever the bytes are
     */
    public static Blockset decode(byte[] document) {
        WireReader body = open(document);
        BlocksetCodec fields = new BlocksetCodec();
        while (body.remaining() > 0) {
            int tag = body.u16();
            fields.read(tag, body.part(body.count(), name(tag)));
        }
        return fields.toBlockset();
    }

    /**
     * The digest of a document in lower-case hexadecimal: two documents with one digest have the same content.
     *
     * @throws RemoteException {@code MALFORMED}, {@code UNSUPPORTED_VERSION} or {@code LIMIT} where the bytes do not start
     *         and end like a document
     */
    public static String digest(byte[] document) {
        open(document);
        return HexFormat.of().formatHex(document, document.length - DIGEST_BYTES, document.length);
    }

    /** The sections of a document that is whole. */
    private static WireReader open(byte[] document) {
        if (document.length > MAX_BYTES) {
            throw Refusal.tooMuch("The length of the blockset in bytes", document.length, MAX_BYTES);
        }
        int bodyBytes = document.length - HEADER_BYTES - DIGEST_BYTES;
        if (bodyBytes < 0 || !Arrays.equals(document, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw Refusal
                    .malformed(document.length + " bytes that do not start like a blockset; check what was fetched");
        }
        WireReader header = new WireReader(document, MAGIC.length, HEADER_BYTES - MAGIC.length, "The header");
        int version = header.u16();
        int least = header.u16();
        if (least > VERSION) {
            throw new RemoteException(RemoteException.Kind.UNSUPPORTED_VERSION, "The blockset of version " + version
                    + " needs a reader of version " + least + ", and this is version " + VERSION
                    + "; bring both workers to one version of kvbm");
        }
        if (least < 1 || version < least) {
            throw Refusal.malformed("The blockset is of version " + version + " for readers from " + least + " on");
        }
        int length = header.count();
        if (length != document.length) {
            throw Refusal.malformed("The blockset has " + document.length + " bytes, but was written with " + length
                    + "; fetch it again");
        }
        byte[] digest = sha256(document, document.length - DIGEST_BYTES);
        if (!Arrays.equals(document, document.length - DIGEST_BYTES, document.length, digest, 0, DIGEST_BYTES)) {
            throw Refusal.malformed(
                    "The blockset of " + length + " bytes does not have the digest it states; fetch it again");
        }
        return new WireReader(document, HEADER_BYTES, bodyBytes, "The blockset");
    }

    private void read(int tag, WireReader section) {
        switch (tag) {
            case WORKER -> owner = once(tag, owner, new Owner(section.u64(), section.u64()));
            case LEVEL -> addLevel(section);
            case FINGERPRINT -> fingerprint = once(tag, fingerprint,
                    ContentFingerprint.ofBytes(section.bytes(ContentFingerprint.BYTES)));
            case SHARED -> addShared(section);
            case AGENT -> agentMetadata = once(tag, agentMetadata, agent(section));
            default -> {
                if ((tag & REQUIRED) != 0) {
                    throw new RemoteException(RemoteException.Kind.UNSUPPORTED_VERSION, "The blockset has a "
                            + name(tag) + " that is needed to understand it, and version " + VERSION
                            + " does not know it; bring both workers to one version of kvbm");
                }
                return;
            }
        }
        section.end();
    }

    private static String name(int tag) {
        return "section " + HexFormat.of().toHexDigits((short) tag);
    }

    private static <T> T once(int tag, @Nullable T before, T value) {
        if (before != null) {
            throw Refusal.malformed("The blockset has the " + name(tag) + " twice");
        }
        return value;
    }

    private static byte[] agent(WireReader section) {
        if (section.remaining() > Blockset.MAX_AGENT_METADATA) {
            throw Refusal.tooMuch("The length of the agent metadata in bytes", section.remaining(),
                    Blockset.MAX_AGENT_METADATA);
        }
        return section.rest();
    }

    private void addLevel(WireReader in) {
        if (levels.size() == Blockset.MAX_LEVELS) {
            throw Refusal.tooMuch("The number of block sets", levels.size() + 1L, Blockset.MAX_LEVELS);
        }
        int blockSet = in.count();
        CacheLevel level = constant(LEVELS, in.u8(), "level");
        LayoutType type = constant(LAYOUTS, in.u8(), "layout type");
        DType dtype = constant(DTYPES, in.u8(), "dtype");
        StorageType storage = storageType(in.u8(), in.count());
        LayoutConfig layout = LayoutConfig.builder()
                .numBlocks(in.count())
                .numLayers(in.count())
                .outerDim(in.count())
                .pageSize(in.count())
                .innerDim(in.count())
                .alignment(in.count())
                .dtype(dtype)
                .build();
        int count = memories(in, MEMORY_BYTES);
        List<ExportedMemory> memory = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            memory.add(new ExportedMemory(storage, in.u64(), in.u64(), in.u64()));
        }
        levels.add(new ExportedLevel(blockSet, level, type, layout, memory, null));
    }

    private void addShared(WireReader in) {
        int blockSet = in.count();
        long pid = in.u64();
        long nonceHigh = in.u64();
        long nonceLow = in.u64();
        int board = in.count();
        int count = memories(in, Integer.BYTES);
        List<Integer> descriptors = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            descriptors.add(in.count());
        }
        SharedMemoryAddress address = new SharedMemoryAddress(pid, nonceHigh, nonceLow, board, descriptors);
        if (shared.size() == Blockset.MAX_LEVELS) {
            throw Refusal.tooMuch("The number of shared block sets", shared.size() + 1L, Blockset.MAX_LEVELS);
        }
        if (shared.putIfAbsent(blockSet, address) != null) {
            throw Refusal.malformed("The blockset shares block set " + blockSet + " twice");
        }
    }

    private static int memories(WireReader in, int bytesEach) {
        int count = in.count();
        if (count > Blockset.MAX_MEMORIES) {
            throw Refusal.tooMuch("The number of memories", count, Blockset.MAX_MEMORIES);
        }
        if (in.remaining() != count * bytesEach) {
            throw Refusal.malformed("The blockset names " + count + " memories of " + bytesEach + " bytes each in "
                    + in.remaining() + " bytes");
        }
        return count;
    }

    private Blockset toBlockset() {
        Owner known = owner;
        if (known == null) {
            throw Refusal.malformed("The blockset does not say whose it is: " + name(WORKER) + " is missing");
        }
        List<ExportedLevel> complete = levels.stream().map(this::withShared).toList();
        if (!shared.isEmpty()) {
            throw Refusal.malformed("The blockset shares block sets that it does not export: " + shared.keySet());
        }
        return new Blockset(known.workerId(), known.epoch(), fingerprint, complete,
                agentMetadata == null ? new byte[0] : agentMetadata);
    }

    private ExportedLevel withShared(ExportedLevel level) {
        SharedMemoryAddress address = shared.remove(level.blockSet());
        return address == null
                ? level
                : new ExportedLevel(level.blockSet(), level.level(), level.layoutType(), level.layout(),
                        level.memory(), address);
    }

    private static void writeLevel(WireWriter out, ExportedLevel level) {
        LayoutConfig layout = level.layout();
        out.count(level.blockSet());
        out.u8(number(LEVELS, level.level()));
        out.u8(number(LAYOUTS, level.layoutType()));
        out.u8(number(DTYPES, layout.dtype()));
        out.u8(storageNumber(level.storageType()));
        out.count(level.storageType() instanceof StorageType.Device(int ordinal) ? ordinal : 0);
        out.count(layout.numBlocks());
        out.count(layout.numLayers());
        out.count(layout.outerDim());
        out.count(layout.pageSize());
        out.count(layout.innerDim());
        out.count(layout.alignment());
        out.count(level.memory().size());
        for (ExportedMemory memory : level.memory()) {
            out.u64(memory.address());
            out.u64(memory.size());
            out.u64(memory.baseOffset());
        }
    }

    private static void writeShared(WireWriter out, int blockSet, SharedMemoryAddress address) {
        out.count(blockSet);
        out.u64(address.pid());
        out.u64(address.nonceHigh());
        out.u64(address.nonceLow());
        out.count(address.boardDescriptor());
        out.count(address.memoryDescriptors().size());
        for (int descriptor : address.memoryDescriptors()) {
            out.count(descriptor);
        }
    }

    private static <E> int number(List<E> constants, E constant) {
        return constants.indexOf(constant) + 1;
    }

    private static <E> E constant(List<E> constants, int number, String what) {
        if (number < 1 || number > constants.size()) {
            throw Refusal.malformed("The blockset has the " + what + " " + number + "; known are 1 to "
                    + constants.size());
        }
        return constants.get(number - 1);
    }

    private static int storageNumber(StorageType type) {
        return switch (type) {
            case StorageType.System _ -> 1;
            case StorageType.Pinned _ -> 2;
            case StorageType.Device _ -> 3;
            case StorageType.Nixl _ -> 4;
            case StorageType.Null _ -> 5;
        };
    }

    private static StorageType storageType(int number, int device) {
        if (device != 0 && number != 3) {
            throw Refusal.malformed("The blockset has device " + device + " for memory that is on none");
        }
        return switch (number) {
            case 1 -> new StorageType.System();
            case 2 -> new StorageType.Pinned();
            case 3 -> new StorageType.Device(device);
            case 4 -> new StorageType.Nixl();
            case 5 -> new StorageType.Null();
            default -> throw Refusal.malformed("The blockset has the kind of memory " + number + "; known are 1 to 5");
        };
    }

    private static byte[] sha256(byte[] bytes, int length) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes, 0, length);
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
