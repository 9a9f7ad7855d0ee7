package io.kvbm.spring.boot.autoconfigure;

/** A property of ours has a value that no block manager can be made from. */
public final class InvalidKvbmPropertyException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final String property;
    private final String action;

    public InvalidKvbmPropertyException(String property, String description, String action) {
        super(property + " " + description);
        this.property = property;
        this.action = action;
    }

    static InvalidKvbmPropertyException missing(String property, String action) {
        return new InvalidKvbmPropertyException(property, "is not set", action);
    }

    String property() {
        return property;
    }

    String action() {
        return action;
    }
}
