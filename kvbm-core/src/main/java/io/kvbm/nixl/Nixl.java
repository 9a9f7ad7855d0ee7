package io.kvbm.nixl;

import java.nio.file.Path;

/** NIXL as this machine has it: a library to make agents of, or the reason why there is none. */
public sealed interface Nixl permits NixlLibrary, Nixl.Absent {

    /** Looks for it in the environment, then in the usual places, and loads it. A process loads it once. */
    static Nixl find() {
        return NixlLibrary.load(null);
    }

    /**
     * Loads it from a path: the file, its folder, a folder of Python packages that has a wheel of it, or a virtual
     * environment.
     */
    static Nixl at(Path path) {
        return NixlLibrary.load(path);
    }

    /** One line that says what there is. */
    String description();

    /**
     * There is none that can be used. Blocks then move within a host only.
     *
     * @param reason what was looked for and did not work, and what to do
     */
    record Absent(String reason) implements Nixl {

        @Override
        public String description() {
            return "NIXL is not used: " + reason;
        }
    }
}
