package io.kvbm.sample.web;

/** A model is asked for that is not served here. */
final class ModelNotFoundException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    ModelNotFoundException(String model, String served) {
        super("The model '" + model + "' is not here; use '" + served + "'");
    }
}
