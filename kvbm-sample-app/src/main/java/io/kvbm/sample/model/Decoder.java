package io.kvbm.sample.model;

import java.util.Map;
import java.util.Set;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;

/**
 * A transformer decoder on ONNX Runtime's CPU provider. Each call runs in the calling thread, and equal inputs give
 * equal bits whatever runs beside it: one thread per call, operators in order.
 */
public final class Decoder implements AutoCloseable {

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    private final ModelConfig config;

    /**
     * Loads the decoder of a model.
     *
     * @throws IllegalStateException where the graph does not have the geometry that the configuration states
     */
    public Decoder(ModelFiles files, ModelConfig config) {
        this.config = config;
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(1);
            options.setInterOpNumThreads(1);
            options.setExecutionMode(OrtSession.SessionOptions.ExecutionMode.SEQUENTIAL);
            options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
            // a pattern is kept per shape, and nearly every call has a shape of its own
            options.setMemoryPatternOptimization(false);
            this.session = environment.createSession(files.decoder(), options);
        } catch (OrtException e) {
            throw files.unreadable("decoder.onnx", e);
        }
        try {
            requireGeometry(session.getInputInfo());
        } catch (OrtException e) {
            throw files.unreadable("decoder.onnx", e);
        }
    }

    /** What the configuration says. */
    public ModelConfig config() {
        return config;
    }

    static String past(int layer, int outer) {
        return "past_key_values." + layer + part(outer);
    }

    static String present(int layer, int outer) {
        return "present." + layer + part(outer);
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

    private void requireGeometry(Map<String, NodeInfo> inputs) {
        long layers = inputs.keySet().stream().filter(name -> name.matches("past_key_values\\.\\d+\\.key")).count();
        NodeInfo first = inputs.get(past(0, 0));
        if (first == null || !(first.getInfo() instanceof TensorInfo tensor)) {
            throw new IllegalStateException(
                    "The decoder has no input " + past(0, 0) + "; export it with past key/values");
        }
        long[] shape = tensor.getShape();
        if (layers != config.layers() || shape.length != 4 || shape[1] != config.kvHeads()
                || shape[3] != config.headDim()) {
            throw new IllegalStateException("config.json states " + config.layers() + " layers, " + config.kvHeads()
                    + " K/V heads and head dimension " + config.headDim() + ", but the decoder has " + layers
                    + " layers and K/V of shape " + java.util.Arrays.toString(shape)
                    + "; both files must be of one model");
        }
    }

    private static String part(int outer) {
        return outer == 0 ? ".key" : ".value";
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
