package io.kvbm.remote;

import com.code_intelligence.jazzer.junit.FuzzTest;
import org.junit.jupiter.api.Tag;

/**
 * What Jazzer may send as a page of events. As part of the suite every seed beside this class is read once; to look for
 * new ones:
 *
 * <pre>
 * JAZZER_FUZZ=1 mvn test -pl kvbm-core -Dtest=EventFrameFuzzTest
 * </pre>
 */
@Tag("fuzz")
class EventFrameFuzzTest {

    @FuzzTest(maxDuration = "60s")
    void page(byte[] document) {
        Frames.decode(document);
        Frames.decode(Frames.sealed(document));
    }
}
