/**
 * NVIDIA GPUs: their memory as storage, and the engine that moves bytes between it and host memory. The only room that
 * names JCuda, in {@link io.kvbm.cuda.Driver} alone, which is loaded where there is a driver.
 */
@NullMarked
package io.kvbm.cuda;

import org.jspecify.annotations.NullMarked;
