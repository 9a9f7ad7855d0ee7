package io.kvbm.token;

/** How the identity of a block is computed, and with it how wide it is. */
public enum IdentityKind {

    /** A chained SHA-256 digest: 256 bits, safe against tokens chosen to collide. */
    SHA256(4),

    /** The XXH3-64 sequence hash: 64 bits, for trusted input only. */
    XXH3(1);

    private final int words;

    IdentityKind(int words) {
        this.words = words;
    }

    /** How many 64-bit words one identity has. */
    public int words() {
        return words;
    }
}
