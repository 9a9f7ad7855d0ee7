package io.kvbm.spring.boot.discovery;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.web.client.ResourceAccessException;

/** Says that Consul was not reached when this instance was to be registered in it. */
final class CatalogFailureAnalyzer extends AbstractFailureAnalyzer<ResourceAccessException> {

    private static final Pattern REGISTRATION = Pattern.compile("\"(\\S+)/v1/agent/service/register[^\"]*\"");

    @Override
    protected @Nullable FailureAnalysis analyze(Throwable rootFailure, ResourceAccessException cause) {
        Matcher registration = REGISTRATION.matcher(String.valueOf(cause.getMessage()));
        return registration.find()
                ? new FailureAnalysis("This instance cannot be registered, as there is no answer from Consul at "
                        + registration.group(1) + ".",
                        "Start Consul there, correct spring.cloud.consul.host and spring.cloud.consul.port, set"
                                + " spring.cloud.consul.discovery.fail-fast=false to start without it, or"
                                + " spring.cloud.consul.enabled=false to do without.",
                        cause)
                : null;
    }
}
