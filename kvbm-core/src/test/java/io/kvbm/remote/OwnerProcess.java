package io.kvbm.remote;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

import io.kvbm.testing.JavaProcess;

import static org.assertj.core.api.Assertions.assertThat;

/** A {@link BoardOwner} that was started. */
final class OwnerProcess implements AutoCloseable {

    private final JavaProcess process;
    private final BufferedReader output;

    private OwnerProcess(JavaProcess process) {
        this.process = process;
        this.output = new BufferedReader(new InputStreamReader(process.output(), StandardCharsets.US_ASCII));
    }

    static OwnerProcess start(long seed, long workerId, int words) throws IOException {
        return new OwnerProcess(JavaProcess.start(BoardOwner.class, seed, workerId, words));
    }

    /** What it exports, as soon as it has said so. */
    Blockset blockset() throws IOException {
        String line = output.readLine();
        assertThat(line).as("what the owner exports").isNotNull();
        return BlocksetCodec.decode(Base64.getDecoder().decode(line));
    }

    /** Lets it begin. */
    void go() throws IOException {
        process.input().write('\n');
        process.input().flush();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Ends it between any two instructions: it gets SIGKILL. */
    void kill() {
        process.kill();
    }

    int awaitEnd() throws InterruptedException {
        return process.awaitEnd();
    }

    @Override
    public void close() {
        process.close();
    }
}
