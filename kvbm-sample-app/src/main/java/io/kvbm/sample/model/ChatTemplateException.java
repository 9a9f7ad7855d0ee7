package io.kvbm.sample.model;

/** A chat that the model's template cannot write as a prompt. */
public final class ChatTemplateException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    ChatTemplateException(String message) {
        super(message);
    }
}
