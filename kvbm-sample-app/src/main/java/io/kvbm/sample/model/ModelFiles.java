package io.kvbm.sample.model;

import java.io.IOException;
import java.io.InputStream;

import org.springframework.core.io.Resource;
import tools.jackson.databind.json.JsonMapper;

/** The three files of a model: {@code decoder.onnx}, {@code tokenizer.json} and {@code config.json}. */
public final class ModelFiles {

    private final Resource folder;

    /** The files in this folder, whose location ends with a slash. */
    public ModelFiles(Resource folder) {
        this.folder = folder;
    }

    /** The configuration. */
    public ModelConfig config() {
        try (InputStream json = open("config.json")) {
            return JsonMapper.builder().build().readValue(json, ModelConfig.class);
        } catch (IOException e) {
            throw unreadable("config.json", e);
        }
    }

    byte[] decoder() {
        try (InputStream onnx = open("decoder.onnx")) {
            return onnx.readAllBytes();
        } catch (IOException e) {
            throw unreadable("decoder.onnx", e);
        }
    }

    InputStream tokenizer() throws IOException {
        return open("tokenizer.json");
    }

    IllegalStateException unreadable(String name, Exception cause) {
        return new IllegalStateException("The model's " + name + " in " + folder
                + " cannot be read; check kvbm.sample.model-folder", cause);
    }

    private InputStream open(String name) throws IOException {
        return folder.createRelative(name).getInputStream();
    }
}
