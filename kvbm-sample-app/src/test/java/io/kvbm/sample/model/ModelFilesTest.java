package io.kvbm.sample.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.core.io.ClassPathResource;
import org.springframework.util.FileSystemUtils;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** A model's folder on disk, and what can be wrong with it. */
class ModelFilesTest {

    @TempDir
    Path temporary;
    private Path folder;

    @BeforeEach
    void copyAModel() throws IOException {
        folder = temporary.resolve("my-model");
        FileSystemUtils.copyRecursively(new ClassPathResource("models/llama-fp16").getFile().toPath(), folder);
    }

    @Test
    void aModelWithoutANameHasTheNameOfItsFolder() throws IOException {
        replace("\"_name_or_path\": \"tests/llama-fp16\",", "");

        assertThat(config().modelId()).isEqualTo("my-model");
    }

    @Test
    void otherWeightsAreAnotherRevision() throws IOException {
        String before = config().revision();
        Path weights = folder.resolve("model.onnx_data");
        byte[] bytes = Files.readAllBytes(weights);
        bytes[bytes.length / 2] ^= 1;
        Files.write(weights, bytes, StandardOpenOption.TRUNCATE_EXISTING);

        assertThat(config().revision()).isNotEqualTo(before);
    }

    @Test
    void aConfigurationOfAnotherModelIsRefused() throws IOException {
        replace("\"num_key_value_heads\": 1", "\"num_key_value_heads\": 4");

        assertThatThrownBy(this::config).hasMessageContaining("config.json states 4 K/V heads")
                .hasMessageContaining("model.onnx has 1");
    }

    @Test
    void aModelOfUnknownContextIsRefused() throws IOException {
        replace("\"max_position_embeddings\": 512,", "");

        assertThatThrownBy(this::config).hasMessageContaining("max_position_embeddings");
    }

    @Test
    void aFolderWithoutAModelIsNamed() {
        assertThatThrownBy(() -> new Decoder(ModelFiles.at(temporary.toString()), Provider.CPU))
                .hasMessageContaining(temporary.toString())
                .hasMessageContaining("kvbm.sample.model-path");
    }

    private ModelConfig config() {
        try (Decoder decoder = new Decoder(ModelFiles.at(folder.toString()), Provider.CPU)) {
            return decoder.config();
        }
    }

    private void replace(String text, String by) throws IOException {
        Path config = folder.resolve("config.json");
        String json = Files.readString(config);
        assertThat(json).contains(text);
        Files.writeString(config, json.replace(text, by));
    }
}
