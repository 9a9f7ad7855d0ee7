package io.kvbm.remote;

import com.code_intelligence.jazzer.junit.FuzzTest;
import org.junit.jupiter.api.Tag;

/**
 * What Jazzer may send in place of control messages. As part of the suite every seed beside this class is read once; to
 * look for new ones:
 *
 * <pre>
 * JAZZER_FUZZ=1 mvn test -pl kvbm-core -Dtest='ControlFuzzTest#message'
 * </pre>
 */
@Tag("fuzz")
class ControlFuzzTest {

    @FuzzTest(maxDuration = "60s")
    void message(byte[] message) {
        Hostile.readControl(message);
    }
}
