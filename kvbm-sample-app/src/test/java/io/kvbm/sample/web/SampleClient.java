package io.kvbm.sample.web;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Asks the sample as its clients do. */
final class SampleClient implements AutoCloseable {

    private final JsonMapper json = JsonMapper.builder().build();
    private final HttpClient http = HttpClient.newHttpClient();
    private final String base;

    SampleClient(int port) {
        this.base = "http://localhost:" + port;
    }

    /** An answer, whatever it is. */
    record Answer(int status, JsonNode body) {}

    Answer ask(String path, Map<String, ?> question, String tenant) throws IOException, InterruptedException {
        HttpResponse<String> response = post(path, json.writeValueAsString(question), tenant);
        return new Answer(response.statusCode(), json.readTree(response.body()));
    }

    /** What comes back, as it is. */
    HttpResponse<String> post(String path, String body, String tenant) throws IOException, InterruptedException {
        return http.send(request(path, body, tenant), HttpResponse.BodyHandlers.ofString());
    }

    private HttpRequest request(String path, String body, String tenant) {
        return HttpRequest.newBuilder(URI.create(base + path))
                .header("Content-Type", "application/json")
                .header("X-Tenant", tenant)
                .timeout(Duration.ofSeconds(60))
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
    }

    /** The nanoseconds until the first text of a streamed completion has come. */
    long nanosToFirstText(Map<String, ?> question, String tenant) throws IOException, InterruptedException {
        long start = System.nanoTime();
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(
                http.send(request("/v1/completions", json.writeValueAsString(question), tenant),
                        HttpResponse.BodyHandlers.ofInputStream())
                        .body(),
                StandardCharsets.UTF_8))) {
            long first = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (first == 0 && line.startsWith("data: {")
                        && !json.readTree(line.substring(6)).at("/choices/0/text").asString("").isEmpty()) {
                    first = System.nanoTime() - start;
                }
            }
            if (first == 0) {
                throw new AssertionError("No text has come");
            }
            return first;
        }
    }

    @Override
    public void close() {
        http.close();
    }
}
