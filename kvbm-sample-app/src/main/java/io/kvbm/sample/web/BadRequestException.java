package io.kvbm.sample.web;

/** A field of a request has a value that is not served. */
final class BadRequestException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final String field;

    BadRequestException(String field, String message) {
        super(message);
        this.field = field;
    }

    String field() {
        return field;
    }
}
