package io.kvbm.spring.boot.autoconfigure;

import org.springframework.boot.autoconfigure.preinitialize.BackgroundPreinitializer;

import io.kvbm.storage.HostAllocator;

/**
 * Links the calls of the C library that make shared memory while the application begins to start. The JVM takes a tenth of
 * a second for it, which the starting thread would have to wait for later.
 */
class NativeMemoryPreinitializer implements BackgroundPreinitializer {

    private static final int SMALLEST_PAGE = 4096;

    /** Where native access is not granted, linking warns, which is for whoever has a cache. */
    @Override
    public void preinitialize() {
        if (!HostAllocator.class.getModule().isNativeAccessEnabled()) {
            return;
        }
        HostAllocator.builder().name("kvbm-preinitialize").hugePages(false).build().allocate(SMALLEST_PAGE).close();
    }
}
