package io.kvbm.spring.boot.discovery;

import java.net.URI;
import java.util.Map;

import org.springframework.cloud.client.ServiceInstance;

/**
 * What the catalog says of an instance beside its address: that it is a worker, which one, and where it is asked. It
 * never changes; what does, each worker says itself.
 *
 * @param workerId the worker's number, unsigned
 * @param path where its {@link WorkerFilter} is, below the instance's address
 */
record Pointer(long workerId, String path) {

    /** Version of what instances ask each other. */
    static final String VERSION = "1";

    static final String VERSION_KEY = "kvbm-v";
    static final String WORKER_KEY = "kvbm-worker";
    static final String PATH_KEY = "kvbm-path";

    /** The entries in the catalog. */
    Map<String, String> metadata() {
        return Map.of(VERSION_KEY, VERSION, WORKER_KEY, Long.toUnsignedString(workerId), PATH_KEY, path);
    }

    /** Whether an entry of the catalog is of this worker. */
    boolean isOf(ServiceInstance instance) {
        return Long.toUnsignedString(workerId).equals(metadata(instance).get(WORKER_KEY));
    }

    /** Whether an entry is of a worker, or, as it says nothing, may be of one. */
    static boolean mayBeWorker(ServiceInstance instance) {
        Map<String, String> metadata = metadata(instance);
        return metadata.containsKey(WORKER_KEY) ? VERSION.equals(metadata.get(VERSION_KEY))
                : !metadata.containsKey(VERSION_KEY);
    }

    /** Where a worker is asked; at the path that this one has, where the entry says nothing. */
    static String address(ServiceInstance instance, String defaultPath) {
        URI uri = instance.getUri();
        String path = metadata(instance).getOrDefault(PATH_KEY, defaultPath);
        String base = uri.toString();
        return (base.endsWith("/") ? base.substring(0, base.length() - 1) : base)
                + (path.startsWith("/") ? path : "/" + path);
    }

    @SuppressWarnings("NullAway") // implementations return null, whatever the interface says
    private static Map<String, String> metadata(ServiceInstance instance) {
        return instance.getMetadata() == null ? Map.of() : instance.getMetadata();
    }
}
