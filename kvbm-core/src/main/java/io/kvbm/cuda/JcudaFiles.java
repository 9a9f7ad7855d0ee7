package io.kvbm.cuda;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The native parts of JCuda, as it unpacks them into the folder for temporary files: under names that everybody knows,
 * and it loads what it finds there. On a machine with several users that may be somebody else's.
 */
final class JcudaFiles {

    private static final String PATTERN = "libJCuda*.so";
    private static final int OTHERS_MAY_WRITE = 0002;

    private JcudaFiles() {}

    /** A file in a folder for temporary files that JCuda may load and that another user can write. */
    static Optional<Path> foreign(Path folder) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, PATTERN)) {
            for (Path file : files) {
                if (!isOurs(file)) {
                    return Optional.of(file);
                }
            }
        } catch (IOException | DirectoryIteratorException _) {
            // JCuda will say what it cannot read there
        }
        return Optional.empty();
    }

    /** Whether only this process's user, or the system's, can have written it. */
    private static boolean isOurs(Path file) throws IOException {
        Object owner = Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        int mode = (int) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        boolean own = owner.equals(0) || owner.equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
        return own && (mode & OTHERS_MAY_WRITE) == 0;
    }
}
