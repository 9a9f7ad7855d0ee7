package io.kvbm.remote;

import com.code_intelligence.jazzer.junit.FuzzTest;
import org.junit.jupiter.api.Tag;

/**
 * What Jazzer may send. As part of the suite every seed beside this class is read once; to look for new ones, one form
 * at a time:
 *
 * <pre>
 * JAZZER_FUZZ=1 mvn test -pl kvbm-core -Dtest='BlocksetFuzzTest#compactForm'
 * </pre>
 */
@Tag("fuzz")
class BlocksetFuzzTest {

    @FuzzTest(maxDuration = "60s")
    void compactForm(byte[] document) {
        Hostile.decode(document);
        Hostile.decode(Hostile.sealed(document));
    }

    @FuzzTest(maxDuration = "60s")
    void referenceForm(byte[] text) {
        Hostile.readJson(text);
    }

    /** The text inside the text, which the other target hardly reaches. */
    @FuzzTest(maxDuration = "60s")
    void referenceLayout(byte[] text) {
        Hostile.readJson(Hostile.embedded(text));
    }
}
