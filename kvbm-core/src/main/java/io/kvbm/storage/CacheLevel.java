package io.kvbm.storage;

/** How far from the computation a block lies. */
public enum CacheLevel {
    /** GPU memory. */
    G1("device"),
    /** Host memory. */
    G2("host"),
    /** Local NVMe. */
    G3("disk"),
    /** Remote storage. */
    G4("remote");

    private final String tier;

    CacheLevel(String tier) {
        this.tier = tier;
    }

    /** The word for the level in metrics, settings and logs. */
    public String tier() {
        return tier;
    }
}
