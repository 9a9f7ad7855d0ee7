package io.kvbm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The README and what lies in {@code docs/}. */
final class Documents {

    static final Path REPOSITORY = Path.of("..");

    private static final Pattern BLOCK = Pattern.compile("^ *```(\\S*)[^\n]*\n(.*?)^ *```$",
            Pattern.MULTILINE | Pattern.DOTALL);

    private Documents() {}

    /** A block of text that is shown as it is. */
    record Block(Path document, String language, String text) {}

    private static List<Path> all() throws IOException {
        try (Stream<Path> docs = Files.list(REPOSITORY.resolve("docs"))) {
            return Stream.concat(Stream.of(REPOSITORY.resolve("README.md")),
                    docs.filter(path -> path.toString().endsWith(".md")).sorted()).toList();
        }
    }

    /** All blocks; a block without a language has the empty one. */
    static Stream<Block> blocks() throws IOException {
        Stream.Builder<Block> blocks = Stream.builder();
        for (Path document : all()) {
            BLOCK.matcher(Files.readString(document))
                    .results()
                    .map(found -> new Block(document, found.group(1), found.group(2)))
                    .forEach(blocks);
        }
        return blocks.build();
    }

    static Stream<Block> blocks(String language) throws IOException {
        return blocks().filter(block -> block.language().equals(language));
    }
}
