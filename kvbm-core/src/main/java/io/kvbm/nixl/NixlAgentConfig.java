package io.kvbm.nixl;

import io.kvbm.error.ConfigException;

/**
 * How an agent works.
 *
 * @param name by which other agents know it; unique among those that exchange metadata
 * @param progressThread whether a thread of NIXL's own moves what peers ask for
 */
public record NixlAgentConfig(String name, boolean progressThread) {

    private static final int MAX_NAME = 255;

    /**
     * Checks the name.
     *
     * @throws ConfigException {@code INVALID} where it is empty, longer than 255 characters or holds a NUL
     */
    public NixlAgentConfig {
        if (name.isBlank() || name.length() > MAX_NAME || name.indexOf('\0') >= 0) {
            throw new ConfigException(ConfigException.Kind.INVALID, "An agent cannot be named '"
                    + name.substring(0, Math.min(name.length(), MAX_NAME)) + "' (" + name.length()
                    + " characters); give 1 to " + MAX_NAME + " characters without NUL");
        }
    }

    /** An agent that its owner drives by {@link NixlAgent#takeNotifications()}. */
    public static NixlAgentConfig of(String name) {
        return new NixlAgentConfig(name, false);
    }
}
