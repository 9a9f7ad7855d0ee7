package io.kvbm.spring.boot.autoconfigure;

import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

import org.apache.commons.logging.Log;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.EnvironmentPostProcessor;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertySource;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.env.OriginTrackedMapPropertySource;
import org.springframework.boot.logging.DeferredLogFactory;
import org.springframework.boot.origin.OriginTrackedValue;
import org.springframework.boot.origin.SystemEnvironmentOrigin;
import org.springframework.core.Ordered;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.EnumerablePropertySource;
import org.springframework.core.env.StandardEnvironment;

/**
 * Reads the environment variables of NVIDIA's KVBM, below everything the application has set by then, and says of each
 * one whether it is honoured. Who comes from there starts without editing anything, and nothing that was set is without
 * effect in silence.
 */
final class DynamoEnvironmentPostProcessor implements EnvironmentPostProcessor, Ordered {

    /** Name of the property source. */
    static final String SOURCE = "kvbmDynamoEnvironment";

    private static final BigDecimal GIGA = BigDecimal.valueOf(1_000_000_000);

    private final Log log;

    DynamoEnvironmentPostProcessor(DeferredLogFactory logs) {
        this.log = logs.getLog(DynamoEnvironmentPostProcessor.class);
    }

    /** After the files of the application have been read. */
    @Override
    public int getOrder() {
        return LOWEST_PRECEDENCE;
    }

    @Override
    public void postProcessEnvironment(ConfigurableEnvironment environment, SpringApplication application) {
        Map<String, String> variables = variables(environment);
        if (variables.isEmpty() || !environment.getProperty("kvbm.enabled", Boolean.class, true)) {
            return;
        }
        Map<String, Object> properties = new LinkedHashMap<>();
        for (DynamoVariable variable : DynamoVariable.values()) {
            String text = variables.get(variable.text());
            if (text != null && variable.property().isPresent()) {
                honour(variable, variable.property().get(), text.strip(), environment, properties);
            }
        }
        variables.forEach(this::explain);
        if (!properties.isEmpty()) {
            environment.getPropertySources().addLast(new OriginTrackedMapPropertySource(SOURCE, properties, true));
        }
    }

    private static Map<String, String> variables(ConfigurableEnvironment environment) {
        Map<String, String> variables = new TreeMap<>();
        if (environment.getPropertySources()
                .get(StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME) instanceof EnumerablePropertySource<?> system) {
            for (String name : system.getPropertyNames()) {
                if (name.startsWith(DynamoVariable.PREFIX)) {
                    variables.put(name, String.valueOf(system.getProperty(name)));
                }
            }
        }
        return variables;
    }

    private void honour(DynamoVariable variable, String property, String text, ConfigurableEnvironment environment,
            Map<String, Object> properties) {
        Optional<String> setter = setter(property, environment);
        if (setter.isPresent()) {
            log.info(variable.text() + " is not honoured: the application sets " + setter.get());
            return;
        }
        Optional<String> before = alternatives(property).filter(properties::containsKey).findFirst();
        if (before.isPresent()) {
            log.info(variable.text() + " is not honoured: " + before.get() + " is set by a variable that goes before");
            return;
        }
        if (variable.isAsIfUnset(text)) {
            log.info(variable.text() + " is not honoured: it is \"" + text + "\", which is as if it were not set");
            return;
        }
        String value = value(variable, text);
        if (value == null) {
            log.warn(variable.text() + " is not honoured: it is \"" + text
                    + "\", which is no number above 0 that fits; set "
                    + property);
            return;
        }
        properties.put(property,
                OriginTrackedValue.of(value, new SystemEnvironmentOrigin(variable.text())));
        log.info(variable.text() + " is honoured as " + property + "=" + value);
    }

    private void explain(String name, String text) {
        Optional<DynamoVariable> known = DynamoVariable.named(name);
        if (known.isEmpty()) {
            log.warn(name + " is not honoured: no such variable is known");
        } else if (known.get().property().isEmpty()) {
            String why = name + " is not honoured: " + known.get().remark().replace("`", "");
            if (known.get().isMissed(text)) {
                log.warn(why);
            } else {
                log.info(why);
            }
        }
    }

    /** What the application sets in the property's place. It may hold a placeholder that has no value yet, so it is not read. */
    private static Optional<String> setter(String property, ConfigurableEnvironment environment) {
        return alternatives(property)
                .filter(name -> isSet(name, environment))
                .findFirst();
    }

    private static boolean isSet(String property, ConfigurableEnvironment environment) {
        ConfigurationPropertyName name = ConfigurationPropertyName.of(property);
        for (ConfigurationPropertySource source : ConfigurationPropertySources.get(environment)) {
            if (source.getConfigurationProperty(name) != null) {
                return true;
            }
        }
        return false;
    }

    /** The properties of which only one may be set. */
    private static Stream<String> alternatives(String property) {
        return property.startsWith("kvbm.host.") ? Stream.of("kvbm.host.blocks", "kvbm.host.size")
                : Stream.of(property);
    }

    /** The property's value, or null where the text is not a number that the property takes. */
    private static @Nullable String value(DynamoVariable variable, String text) {
        try {
            return variable == DynamoVariable.CPU_CACHE_GB
                    ? positive(new BigDecimal(text).multiply(GIGA).min(BigDecimal.valueOf(Long.MAX_VALUE)).longValue(),
                            "B")
                    : positive(Integer.parseInt(text), "");
        } catch (NumberFormatException e) {
            return null;
        }
    }

    private static @Nullable String positive(long number, String unit) {
        return number > 0 ? number + unit : null;
    }
}
