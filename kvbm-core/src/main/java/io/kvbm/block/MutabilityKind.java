package io.kvbm.block;

/** Whether the holder of a descriptor may write into the blocks it names. */
public enum MutabilityKind {
    /** It may. */
    MUTABLE("Mutable"),
    /** It may only read. */
    IMMUTABLE("Immutable");

    private final String jsonName;

    MutabilityKind(String jsonName) {
        this.jsonName = jsonName;
    }

    String jsonName() {
        return jsonName;
    }
}
