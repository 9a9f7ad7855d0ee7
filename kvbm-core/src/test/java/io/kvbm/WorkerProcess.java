package io.kvbm;

import java.io.IOException;
import java.util.List;
import java.util.Map;

import io.kvbm.remote.Blockset;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerRequest;
import io.kvbm.testing.JavaProcess;

import static org.assertj.core.api.Assertions.assertThat;

/** A {@link RemoteWorker} that was started, and the way to it. */
final class WorkerProcess implements AutoCloseable {

    /** What UCX has to say would go to the standard output, by which it speaks to us. */
    private static final Map<String, String> QUIET = Map.of("UCX_LOG_FILE", "/dev/null");

    final PipeLink link;

    private final JavaProcess process;

    private WorkerProcess(JavaProcess process) {
        this.process = process;
        this.link = new PipeLink(process.output(), process.input(), order -> {
            throw new IllegalArgumentException("Orders are given by this process: " + order);
        });
    }

    static WorkerProcess start(ToyWorker worker) throws IOException {
        return start(worker, JavaProcess.of(RemoteWorker.class));
    }

    /** Starts it in another way, or another class than {@link RemoteWorker}. */
    static WorkerProcess start(ToyWorker worker, JavaProcess.Start how) throws IOException {
        if (worker.way() == ToyWorker.Way.NIXL) {
            how.libraries(List.of("jna-")).environment(QUIET);
        }
        WorkerProcess started = new WorkerProcess(how.start());
        started.be(worker);
        return started;
    }

    /** Has it be this worker from now on, and none it was before. */
    void be(ToyWorker worker) {
        order("start " + worker.toWords());
    }

    /** Gives an order and returns what it says; see {@link RemoteWorker}. */
    String order(String words) {
        return link.order(words);
    }

    /** What it exports in its compact form. */
    Blockset blockset(long asker) {
        return BlocksetCodec.decode(((PeerAnswer.Export) link.ask(new PeerRequest.Export(asker))).blockset());
    }

    /** Ends it by SIGKILL and waits until it is gone. */
    void kill() {
        process.kill();
        try {
            assertThat(process.awaitEnd()).isEqualTo(JavaProcess.KILLED);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        process.close();
    }
}
