package io.kvbm.token;

import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Objects;

import org.jspecify.annotations.Nullable;

/**
 * The identities of the full blocks of one token sequence, in order. An identity names the content of a block: model,
 * tenant, every token up to the block's end. Beside it the block hash and the sequence hash of {@link TokenHash} are
 * kept for every block. One thread at a time; nothing is allocated per block.
 *
 * <p>
 * With {@link IdentityKind#SHA256} an identity is SHA-256(parent, tokens), tokens as four bytes little endian each, and
 * the parent of the first block is SHA-256(fingerprint, length of the tenant in bytes as four bytes little endian,
 * tenant in UTF-8); its words are the digest's, big endian. With {@link IdentityKind#XXH3} it is the sequence hash.
 *
 * <p>
 * The salt hash of the tenant {@code ""} is {@link TokenHash#DEFAULT_SALT_HASH}, which routers know; that of any other
 * tenant is the hash of fingerprint and tenant, so that tenants never share a sequence hash.
 */
public final class IdentityChain {

    private final IdentityKind kind;
    private final int pageSize;
    private final TokenHasher hasher;
    private final @Nullable Sha256Chain sha256;
    private long[] blockHashes;
    private long[] sequenceHashes;
    private int size;

    /** An empty chain; {@link io.kvbm.error.ConfigException} when the tenant is no valid Unicode. */
    public IdentityChain(ContentFingerprint fingerprint, String tenant, IdentityKind kind, int pageSize) {
        this(kind, pageSize, tenantSaltHash(fingerprint, tenant),
                kind == IdentityKind.SHA256 ? new Sha256Chain(root(fingerprint, tenant)) : null, new long[0],
                new long[0]);
    }

    private IdentityChain(IdentityKind kind, int pageSize, long saltHash, @Nullable Sha256Chain sha256,
            long[] blockHashes, long[] sequenceHashes) {
        TokenHasher.requirePageSize(pageSize);
        this.kind = kind;
        this.pageSize = pageSize;
        this.hasher = new TokenHasher(saltHash);
        this.sha256 = sha256;
        this.blockHashes = blockHashes;
        this.sequenceHashes = sequenceHashes;
        this.size = blockHashes.length;
    }

    /** An empty chain of sequence hashes with this salt hash, for use without a model identity. */
    public static IdentityChain xxh3(int pageSize, long saltHash) {
        return new IdentityChain(IdentityKind.XXH3, pageSize, saltHash, null, new long[0], new long[0]);
    }

    private static long tenantSaltHash(ContentFingerprint fingerprint, String tenant) {
        if (tenant.isEmpty()) {
            return TokenHash.DEFAULT_SALT_HASH;
        }
        byte[] name = Sha256.utf8("tenant", tenant);
        byte[] salt = Arrays.copyOf(fingerprint.bytes(), ContentFingerprint.BYTES + name.length);
        System.arraycopy(name, 0, salt, ContentFingerprint.BYTES, name.length);
        return TokenHash.saltHash(salt);
    }

    private static byte[] root(ContentFingerprint fingerprint, String tenant) {
        MessageDigest digest = Sha256.newDigest();
        digest.update(fingerprint.bytes());
        Sha256.updatePrefixed(digest, Sha256.utf8("tenant", tenant));
        return digest.digest();
    }

    /** How many blocks. */
    public int size() {
        return size;
    }

    /** Tokens per block. */
    public int pageSize() {
        return pageSize;
    }

    /** How identities are computed. */
    public IdentityKind kind() {
        return kind;
    }

    /** How many 64-bit words one identity has. */
    public int words() {
        return kind.words();
    }

    /** The seed of block hashes and sequence hashes, unsigned. */
    public long saltHash() {
        return hasher.saltHash();
    }

    /**
     * Appends the full blocks of the array's tokens from index {@code from}, inclusive, to {@code to}, exclusive.
     *
     * @throws IllegalArgumentException when {@code to - from} is no multiple of the page size
     */
    public void extend(int[] tokens, int from, int to) {
        int blocks = TokenHasher.fullBlocks(tokens, from, to, pageSize);
        reserve(Math.addExact(size, blocks));
        int at = from;
        int left = blocks;
        while (left > 0) {
            int loaded = hasher.loadBlocks(tokens, at, left, pageSize);
            long parent = size == 0 ? 0 : sequenceHashes[size - 1];
            hasher.hashLoaded(loaded, pageSize, blockHashes, size, sequenceHashes, size, size == 0, parent);
            if (sha256 != null) {
                sha256.extend(hasher.bytes(), size, loaded, pageSize);
            }
            size += loaded;
            at += loaded * pageSize;
            left -= loaded;
        }
    }

    private void reserve(int blocks) {
        if (blocks > blockHashes.length) {
            int capacity = Math.max(blocks, blockHashes.length + (blockHashes.length >> 1));
            blockHashes = Arrays.copyOf(blockHashes, capacity);
            sequenceHashes = Arrays.copyOf(sequenceHashes, capacity);
        }
        if (sha256 != null) {
            sha256.reserve(blocks);
        }
    }

    /** Keeps the first {@code blocks} blocks, of which there must be that many. */
    public void truncate(int blocks) {
        requirePrefix(blocks);
        size = blocks;
    }

    /** An independent chain of the first {@code blocks} blocks, of which there must be that many. */
    public IdentityChain copy(int blocks) {
        requirePrefix(blocks);
        return new IdentityChain(kind, pageSize, hasher.saltHash(), sha256 == null ? null : sha256.copy(blocks),
                Arrays.copyOf(blockHashes, blocks), Arrays.copyOf(sequenceHashes, blocks));
    }

    private void requirePrefix(int blocks) {
        if (blocks < 0 || blocks > size) {
            throw new IllegalArgumentException(
                    "prefix of " + blocks + " blocks of a chain of " + size + "; pass 0 to " + size);
        }
    }

    /** One word of the identity of a block; word 0 first. */
    public long word(int block, int word) {
        Objects.checkIndex(block, size);
        Objects.checkIndex(word, kind.words());
        return sha256 == null ? sequenceHashes[block] : sha256.word(block, word);
    }

    /** The first word of the identity of a block, which probes a table. */
    public long probe(int block) {
        Objects.checkIndex(block, size);
        return sha256 == null ? sequenceHashes[block] : sha256.word(block, 0);
    }

    /** The hash of the tokens of a block alone, unsigned. */
    public long blockHash(int block) {
        return blockHashes[Objects.checkIndex(block, size)];
    }

    /** The hash of a block and all before it, unsigned. */
    public long sequenceHash(int block) {
        return sequenceHashes[Objects.checkIndex(block, size)];
    }

    @Override
    public String toString() {
        return "IdentityChain[kind=" + kind + ", blocks=" + size + ", pageSize=" + pageSize + "]";
    }
}
