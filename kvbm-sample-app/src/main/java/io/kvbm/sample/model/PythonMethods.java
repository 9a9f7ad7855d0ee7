package io.kvbm.sample.model;

import java.beans.FeatureDescriptor;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;
import org.jspecify.annotations.Nullable;

/** The methods of Python's strings and dictionaries that chat templates call and Java's do not have, or otherwise. */
final class PythonMethods extends ELResolver {

    @Override
    public @Nullable Object invoke(ELContext context, @Nullable Object base, @Nullable Object method,
            Class<?> @Nullable [] types, @Nullable Object[] arguments) {
        Object result = switch (base) {
            case String text when method instanceof String name -> invoke(text, name, arguments);
            case Map<?, ?> map when "get".equals(method) && arguments.length == 2 -> map.containsKey(arguments[0])
                    ? map.get(arguments[0])
                    : arguments[1];
            case null, default -> null;
        };
        context.setPropertyResolved(result != null);
        return result;
    }

    private static @Nullable Object invoke(String text, String method, @Nullable Object[] arguments) {
        String first = arguments.length > 0 && arguments[0] instanceof String given ? given : null;
        return switch (method) {
            case "strip" -> stripped(text, first, true, true);
            case "lstrip" -> stripped(text, first, true, false);
            case "rstrip" -> stripped(text, first, false, true);
            case "startswith" -> first == null ? null : text.startsWith(first);
            case "endswith" -> first == null ? null : text.endsWith(first);
            case "split" -> first == null ? List.of(text.strip().split("\\s+")) : split(text, first);
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "replace" -> first == null || !(arguments[1] instanceof String by) ? null : text.replace(first, by);
            default -> null;
        };
    }

    private static String stripped(String text, @Nullable String characters, boolean left, boolean right) {
        int from = 0;
        int to = text.length();
        while (left && from < to && strips(text.charAt(from), characters)) {
            from++;
        }
        while (right && to > from && strips(text.charAt(to - 1), characters)) {
            to--;
        }
        return text.substring(from, to);
    }

    private static boolean strips(char c, @Nullable String characters) {
        return characters == null ? Character.isWhitespace(c) : characters.indexOf(c) >= 0;
    }

    private static List<String> split(String text, String separator) {
        List<String> parts = new ArrayList<>();
        int from = 0;
        for (int at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, from)) {
            parts.add(text.substring(from, at));
            from = at + separator.length();
        }
        parts.add(text.substring(from));
        return parts;
    }

    @Override
    public @Nullable Object getValue(ELContext context, @Nullable Object base, @Nullable Object property) {
        return null;
    }

    @Override
    public @Nullable Class<?> getType(ELContext context, @Nullable Object base, @Nullable Object property) {
        return null;
    }

    @Override
    public void setValue(ELContext context, @Nullable Object base, @Nullable Object property, @Nullable Object value) {}

    @Override
    public boolean isReadOnly(ELContext context, @Nullable Object base, @Nullable Object property) {
        return true;
    }

    @Override
    public @Nullable Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, @Nullable Object base) {
        return null;
    }

    @Override
    public @Nullable Class<?> getCommonPropertyType(ELContext context, @Nullable Object base) {
        return null;
    }
}
