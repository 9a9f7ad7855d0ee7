package io.kvbm.nixl;

import io.kvbm.error.ConfigException;

/**
 * How an agent works. By default it has no progress thread: NIXL's spins on a processor and contends with whoever posts
 * and asks. On two processors it took gets of 16 blocks of 64 KiB from 4.1 to 2.2 GB/s within a process and from 4.0 to
 * 1.9 GB/s between two, of 1 MiB from 5.0 to 2.8 and from 4.4 to 2.9 GB/s. Without it somebody has to call
 * {@link NixlAgent#takeNotifications()}, which moves what peers ask for: their transfers do not end before. Where nobody
 * can, the thread is worth its price.
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
