package io.kvbm.spring.boot.discovery;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Says that the application has no name under which it could be registered in Consul. */
final class ServiceNameFailureAnalyzer extends AbstractFailureAnalyzer<IllegalArgumentException> {

    /** Of Spring Cloud Consul, which makes an id of the application's name and its port. */
    private static final Pattern REFUSAL = Pattern.compile("Consul service ids must not be empty, .*?: (.*)");

    @Override
    protected @Nullable FailureAnalysis analyze(Throwable rootFailure, IllegalArgumentException cause) {
        Matcher refusal = REFUSAL.matcher(String.valueOf(cause.getMessage()));
        return refusal.matches()
                ? new FailureAnalysis("This instance has no name for Consul: \"" + refusal.group(1)
                        + "\" is made of the application's name and port, and is no id there.",
                        "Set spring.application.name to letters, digits and hyphens of which the first is a letter, or"
                                + " spring.cloud.consul.enabled=false to do without.",
                        cause)
                : null;
    }
}
