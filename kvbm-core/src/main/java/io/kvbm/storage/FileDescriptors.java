package io.kvbm.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import io.kvbm.error.StorageException;

/** What Linux tells of open files under {@code /proc}. */
final class FileDescriptors {

    private static final String OWN = "self";
    private static final String MEMFD = "/memfd:";

    private FileDescriptors() {}

    static Path path(long pid, int descriptor) {
        return Path.of("/proc", Long.toString(pid), "fd", Integer.toString(descriptor));
    }

    private static Path own(int descriptor) {
        return Path.of("/proc", OWN, "fd", Integer.toString(descriptor));
    }

    static long inode(int descriptor) {
        return attribute(descriptor, "ino");
    }

    static long size(int descriptor) {
        return attribute(descriptor, "size");
    }

    /** Whether a file of another process is anonymous memory. Asked by name: opening a device may do things. */
    static boolean isMemory(Path link) {
        try {
            return Files.readSymbolicLink(link).toString().startsWith(MEMFD);
        } catch (IOException e) {
            return false;
        }
    }

    private static long attribute(int descriptor, String name) {
        try {
            return ((Number) Files.getAttribute(own(descriptor), "unix:" + name)).longValue();
        } catch (IOException e) {
            throw new StorageException(StorageException.Kind.NOT_ACCESSIBLE,
                    "The system does not tell the " + name + " of file " + descriptor + "; is /proc mounted?", e);
        }
    }
}
