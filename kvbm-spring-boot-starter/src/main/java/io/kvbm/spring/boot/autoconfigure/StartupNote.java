package io.kvbm.spring.boot.autoconfigure;

/**
 * What an auto-configuration beside the manager's adds to the paragraph that tells of the start.
 *
 * @param text whole sentences that say what was found, what is missing, and what that means
 */
public record StartupNote(String text) {}
