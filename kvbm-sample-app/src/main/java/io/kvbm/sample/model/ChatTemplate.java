package io.kvbm.sample.model;

import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import jinjava.javax.el.CompositeELResolver;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/** A model's own way to write a chat as one prompt: the Jinja template that comes with its tokenizer. */
public final class ChatTemplate {

    private static final List<String> SPECIAL = List.of("bos_token", "eos_token", "unk_token", "pad_token");

    /** All in which Jinjava can be as Python's Jinja is, but for one that takes whitespace control for text. */
    private static final LegacyOverrides AS_PYTHON = LegacyOverrides.Builder.from(LegacyOverrides.ALL)
            .withWhitespaceRequiredWithinTokens(false)
            .build();

    private final Jinjava jinja;
    private final Optional<String> template;
    private final SpecialTokens special;

    /** The template of a model, which may have none. */
    public ChatTemplate(ModelFiles files, TextTokenizer tokenizer) {
        this.special = tokenizer.special();
        this.template = find(files);
        CompositeELResolver names = new CompositeELResolver();
        names.add(new PythonMethods());
        names.add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_ONLY);
        // what people write is never itself a template, and lines are as those who wrote the templates rendered them
        this.jinja = new Jinjava(JinjavaConfig.newBuilder()
                .withTrimBlocks(true)
                .withLstripBlocks(true)
                .withNestedInterpretationEnabled(false)
                .withLegacyOverrides(AS_PYTHON)
                .withElResolver(names)
                .build());
        jinja.getGlobalContext()
                .registerFunction(new ELFunctionDefinition("", "raise_exception", ChatTemplate.class,
                        "raiseException", String.class));
        jinja.getGlobalContext()
                .registerFunction(new ELFunctionDefinition("", "strftime_now", ChatTemplate.class,
                        "strftimeNow", String.class));
    }

    private static Optional<String> find(ModelFiles files) {
        JsonNode stated = files.optionalJson("tokenizer_config.json")
                .orElse(MissingNode.getInstance())
                .path("chat_template");
        if (stated.isString()) {
            return Optional.of(stated.stringValue());
        }
        for (JsonNode named : stated.values()) {
            if (named.path("name").asString("").equals("default")) {
                return Optional.of(named.path("template").asString());
            }
        }
        return files.optionalText("chat_template.jinja");
    }

    /**
     * The prompt of a chat, up to where the assistant's next answer begins. What spells a special token in a message
     * stays text.
     *
     * @throws ChatTemplateException where there is no template or it refuses the messages
     */
    public Prompt render(List<ChatMessage> messages) {
        String source = template.orElseThrow(() -> new ChatTemplateException(
                "This model has no chat template; use /v1/completions, or add chat_template to tokenizer_config.json"));
        Map<String, Object> variables = new HashMap<>();
        variables.put("messages", messages.stream()
                .map(this::variables)
                .toList());
        variables.put("add_generation_prompt", true);
        SPECIAL.forEach(role -> variables.put(role, special.token(role).orElse("")));
        RenderResult result = jinja.renderForResult(source, variables);
        for (TemplateError error : result.getErrors()) {
            if (error.getSeverity() == TemplateError.ErrorType.FATAL) {
                throw new ChatTemplateException("The model's chat template refuses the messages: " + reason(error));
            }
        }
        return new Prompt(result.getOutput(), true);
    }

    private Map<String, Object> variables(ChatMessage message) {
        return Map.of("role", special.broken(message.role()), "content", special.broken(message.content()));
    }

    private static String reason(TemplateError error) {
        for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
            if (cause instanceof ChatTemplateException own) {
                return Objects.requireNonNullElse(own.getMessage(), "no message");
            }
        }
        return Objects.requireNonNullElse(error.getMessage(), "no message");
    }

    /** What templates call {@code raise_exception}. */
    public static String raiseException(String message) {
        throw new ChatTemplateException(message);
    }

    /** What templates call {@code strftime_now}: today's date, in the one form that templates ask for. */
    public static String strftimeNow(String format) {
        return LocalDate.now(ZoneOffset.UTC)
                .format(DateTimeFormatter.ofPattern(
                        format.replace("%d", "dd")
                                .replace("%b", "MMM")
                                .replace("%B", "MMMM")
                                .replace("%m", "MM")
                                .replace("%Y", "yyyy"),
                        Locale.ENGLISH));
    }
}
