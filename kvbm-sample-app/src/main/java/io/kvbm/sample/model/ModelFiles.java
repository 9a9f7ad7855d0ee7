package io.kvbm.sample.model;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import org.springframework.core.io.DefaultResourceLoader;
import org.springframework.core.io.FileSystemResource;
import org.springframework.core.io.Resource;
import org.springframework.util.ResourceUtils;
import org.springframework.util.StringUtils;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A model as Hugging Face Optimum exports it: a folder with {@code model.onnx} and, for large ones,
 * {@code model.onnx_data}; {@code config.json}; {@code tokenizer.json}; and, where the model has them,
 * {@code generation_config.json}, {@code tokenizer_config.json} and {@code chat_template.jinja}.
 */
public final class ModelFiles {

    static final String GRAPH = "model.onnx";

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final Resource folder;

    private ModelFiles(Resource folder) {
        this.folder = folder;
    }

    /** The model in this folder: a path, or a URL as {@code classpath:/model/}. */
    public static ModelFiles at(String location) {
        String folder = location.endsWith("/") ? location : location + "/";
        return new ModelFiles(ResourceUtils.isUrl(folder)
                ? new DefaultResourceLoader().getResource(folder)
                : new FileSystemResource(folder));
    }

    /** The folder's own name. */
    String name() {
        try {
            return folder.isFile() ? folder.getFile().getAbsoluteFile().toPath().normalize().getFileName().toString()
                    : StringUtils.getFilename(StringUtils.trimTrailingCharacter(folder.getURL().getPath(), '/'));
        } catch (IOException e) {
            throw unreadable("folder", e);
        }
    }

    JsonNode json(String name) {
        return optionalJson(name)
                .orElseThrow(() -> unreadable(name, new FileNotFoundException("there is no " + name)));
    }

    Optional<JsonNode> optionalJson(String name) {
        return optionalText(name).map(text -> {
            try {
                return JSON.readTree(text);
            } catch (JacksonException e) {
                throw unreadable(name, e);
            }
        });
    }

    Optional<String> optionalText(String name) {
        if (!file(name).exists()) {
            return Optional.empty();
        }
        try (InputStream text = open(name)) {
            return Optional.of(new String(text.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }

    InputStream open(String name) throws IOException {
        return file(name).getInputStream();
    }

    /** The graph, loaded. Weights beside it are found only where it is a file and not packed into a jar. */
    OrtSession session(OrtSession.SessionOptions options) throws OrtException {
        try {
            if (file(GRAPH).isFile()) {
                return OrtEnvironment.getEnvironment().createSession(file(GRAPH).getFile().getPath(), options);
            }
            try (InputStream onnx = open(GRAPH)) {
                return OrtEnvironment.getEnvironment().createSession(onnx.readAllBytes(), options);
            }
        } catch (IOException e) {
            throw unreadable(GRAPH, e);
        }
    }

    /** SHA-256 of the weights: of all files whose names start with {@code model.onnx}, one after the other. */
    String revision() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String name : weights()) {
                try (DigestInputStream bytes = new DigestInputStream(open(name), digest)) {
                    bytes.transferTo(OutputStream.nullOutputStream());
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw unreadable(GRAPH, e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every JDK has SHA-256", e);
        }
    }

    private List<String> weights() throws IOException {
        if (!file(GRAPH).isFile()) {
            return List.of(GRAPH);
        }
        try (Stream<Path> files = Files.list(file(GRAPH).getFile().getAbsoluteFile().toPath().getParent())) {
            return files.map(path -> path.getFileName().toString())
                    .filter(name -> name.startsWith(GRAPH))
                    .sorted()
                    .toList();
        }
    }

    IllegalStateException unreadable(String name, Exception cause) {
        return new IllegalStateException("The model's " + name + " in " + folder
                + " cannot be read; check kvbm.sample.model-path", cause);
    }

    private Resource file(String name) {
        try {
            return folder.createRelative(name);
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }
}
