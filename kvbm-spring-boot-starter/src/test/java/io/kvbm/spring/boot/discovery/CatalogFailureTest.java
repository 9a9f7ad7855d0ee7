package io.kvbm.spring.boot.discovery;

import java.io.IOException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.web.client.ResourceAccessException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

/** An application that cannot be registered in Consul. */
@ExtendWith(OutputCaptureExtension.class)
class CatalogFailureTest {

    private static final String NAME = "spring.application.name=cluster";

    private static Throwable start(int port, String... more) {
        return catchThrowable(() -> new SpringApplicationBuilder(Instance.Application.class)
                .properties("server.port=0", "spring.cloud.consul.host=127.0.0.1", "spring.cloud.consul.port=" + port,
                        "kvbm.host.blocks=4", "kvbm.shutdown.delay=0s")
                .properties(more)
                .run("--spring.cloud.consul.enabled=true")
                .close());
    }

    @Test
    void aConsulThatIsNotThereIsNamedWithItsProperties(CapturedOutput output) throws IOException {
        int port = Instance.freePorts(1).getFirst();
        assertThat(start(port, NAME)).hasRootCauseInstanceOf(IOException.class);
        assertThat(output).contains("APPLICATION FAILED TO START",
                "there is no answer from Consul at http://127.0.0.1:" + port + ".", "spring.cloud.consul.port",
                "spring.cloud.consul.discovery.fail-fast=false", "spring.cloud.consul.enabled=false");
    }

    @Test
    void withoutFailFastTheApplicationStartsWithoutIt() throws IOException {
        assertThat(start(Instance.freePorts(1).getFirst(), NAME, "spring.cloud.consul.discovery.fail-fast=false"))
                .isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"unrelated=", "spring.application.name="})
    void anApplicationWithoutANameIsAskedForOne(String name, CapturedOutput output) throws IOException {
        int port = Instance.freePorts(1).getFirst();
        assertThat(start(port, name, "server.port=" + port)).isNotNull();
        assertThat(output).contains("APPLICATION FAILED TO START", "This instance has no name for Consul: \"",
                port + "\" is made of", "Set spring.application.name");
    }

    @Test
    void anotherWrongArgumentIsNotOurs() {
        assertThat(new ServiceNameFailureAnalyzer().analyze(new IllegalArgumentException("colour: blue"))).isNull();
    }

    @Test
    void anAnswerThatTheApplicationItselfMissesIsNotOurs() {
        ResourceAccessException other = new ResourceAccessException(
                "I/O error on GET request for \"http://localhost:1/weather\": refused");
        assertThat(new CatalogFailureAnalyzer().analyze(other)).isNull();
    }
}
