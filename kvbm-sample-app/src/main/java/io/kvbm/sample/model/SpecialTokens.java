package io.kvbm.sample.model;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/** The tokens of a model that are no text: where a prompt begins, where an answer ends, who speaks. */
final class SpecialTokens {

    /** Stands inside what spells a special token and is text. A noncharacter, so it is in nobody's text. */
    static final char BREAK = '\uFDD0';

    private static final char REPLACEMENT = '\uFFFD';

    private final JsonNode tokenizerConfig;
    private final Map<String, Integer> added = new HashMap<>();
    private final Map<Character, List<String>> spellings = new HashMap<>();
    private final Set<Integer> ends = new HashSet<>();

    SpecialTokens(ModelFiles files) {
        this.tokenizerConfig = files.optionalJson("tokenizer_config.json").orElse(MissingNode.getInstance());
        for (JsonNode token : files.json("tokenizer.json").path("added_tokens")) {
            String spelling = token.path("content").asString();
            added.put(spelling, token.path("id").asInt());
            if (token.path("special").asBoolean() && spelling.length() > 1) {
                spellings.computeIfAbsent(spelling.charAt(0), first -> new ArrayList<>()).add(spelling);
            }
        }
        JsonNode generation = files.optionalJson("generation_config.json").orElse(MissingNode.getInstance());
        JsonNode stated = generation.path("eos_token_id");
        collectEnds(stated.isMissingNode() || stated.isNull() ? files.json("config.json").path("eos_token_id")
                : stated);
        token("eos_token").map(added::get).ifPresent(ends::add);
    }

    private void collectEnds(JsonNode ids) {
        if (ids.isInt()) {
            ends.add(ids.intValue());
        }
        ids.values().forEach(id -> ends.add(id.asInt()));
    }

    /** How the tokenizer's configuration spells the token of this role, as {@code bos_token}. */
    Optional<String> token(String role) {
        JsonNode token = tokenizerConfig.path(role);
        return Optional
                .ofNullable(token.isObject() ? token.path("content").stringValue(null) : token.stringValue(null));
    }

    /** Whether the tokenizer's configuration says that a prompt begins with a token of its own. */
    Optional<Boolean> beginsPrompt() {
        JsonNode stated = tokenizerConfig.path("add_bos_token");
        return stated.isBoolean() ? Optional.of(stated.booleanValue()) : Optional.empty();
    }

    Optional<Integer> id(String spelling) {
        return Optional.ofNullable(added.get(spelling));
    }

    boolean ends(int token) {
        return ends.contains(token);
    }

    /** The text with a break in everything that spells a special token. */
    String broken(String text) {
        StringBuilder broken = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            broken.append(c == BREAK ? REPLACEMENT : c);
            for (String spelling : spellings.getOrDefault(c, List.of())) {
                if (text.startsWith(spelling, i)) {
                    broken.append(BREAK);
                    break;
                }
            }
        }
        return broken.toString();
    }
}
