package io.kvbm.sample.model;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A transformer decoder on ONNX Runtime. Each call runs in the calling thread, and on the CPU equal inputs give equal
 * bits whatever runs beside it: one thread per call, operators in order.
 *
 * <p>
 * On a GPU the weights and the computation are there, but K/V is not: the Java API of ONNX Runtime has neither tensors
 * of device memory nor a way to bind them to a session, so each call copies the K/V of the tokens before up and the new
 * one down, and the cache's blocks stay in host memory. It has not been tried, for want of a GPU; neither is it known
 * whether equal inputs give equal bits there.
 */
public final class Decoder implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Decoder.class);

    private static final long STACK_BYTES = 16L << 20;

    private final OrtEnvironment environment;
    private final OrtSession session;
    private final DecoderGraph graph;
    private final ModelConfig config;

    /**
     * Loads the decoder of a model.
     *
     * @throws IllegalStateException where the graph is none of a decoder, or does not have the geometry that the
     *         configuration states, or there is no GPU to compute it on and has to be one
     */
    public Decoder(ModelFiles files, Provider provider) {
        this.session = load(files, provider);
        this.environment = OrtEnvironment.getEnvironment();
        try {
            this.graph = DecoderGraph.of(session.getInputInfo(), session.getOutputInfo());
        } catch (OrtException e) {
            throw files.unreadable(ModelFiles.GRAPH, e);
        }
        this.config = ModelConfig.of(files, graph);
    }

    /**
     * ONNX Runtime recurses when it is loaded and when it optimises a graph, deeper than what a starting Spring
     * application has left of its main thread's stack; an overflow there ends the process without a word.
     */
    private static OrtSession load(ModelFiles files, Provider provider) {
        FutureTask<OrtSession> loading = new FutureTask<>(() -> createSession(files, provider));
        Thread.ofPlatform().name("decoder-load").stackSize(STACK_BYTES).start(loading);
        try {
            return loading.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException failure ? failure : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Loading the decoder was interrupted", e);
        }
    }

    private static OrtSession createSession(ModelFiles files, Provider provider) {
        if (provider != Provider.CPU) {
            try {
                OrtSession session = createSession(files, true);
                log.info("The decoder runs on GPU 0, by CUDA");
                return session;
            } catch (OrtException e) {
                if (provider == Provider.CUDA) {
                    throw new IllegalStateException("kvbm.sample.provider is cuda, and ONNX Runtime cannot use a GPU: "
                            + e.getMessage() + "; put com.microsoft.onnxruntime:onnxruntime_gpu in the place of"
                            + " onnxruntime and look at nvidia-smi, or set it to auto", e);
                }
                log.info("The decoder runs on the CPU, as ONNX Runtime cannot use a GPU: {}", e.getMessage());
            }
        }
        try {
            return createSession(files, false);
        } catch (OrtException e) {
            throw files.unreadable(ModelFiles.GRAPH, e);
        }
    }

    private static OrtSession createSession(ModelFiles files, boolean cuda) throws OrtException {
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(1);
            options.setInterOpNumThreads(1);
            options.setExecutionMode(OrtSession.SessionOptions.ExecutionMode.SEQUENTIAL);
            options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
            // a pattern is kept per shape, and nearly every call has a shape of its own
            options.setMemoryPatternOptimization(false);
            if (cuda) {
                options.addCUDA();
            }
            return files.session(options);
        }
    }

    /** What it is. */
    public ModelConfig config() {
        return config;
    }

    /** What its graph takes and gives. */
    DecoderGraph graph() {
        return graph;
    }

    OrtEnvironment environment() {
        return environment;
    }

    /** Runs the graph; it writes into the output tensors given. */
    void run(Map<String, OnnxTensor> inputs, Map<String, OnnxTensor> outputs) {
        try {
            session.run(inputs, Set.of(), outputs).close();
        } catch (OrtException e) {
            throw new IllegalStateException("The decoder failed: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw new IllegalStateException("The decoder could not be closed", e);
        }
    }
}
