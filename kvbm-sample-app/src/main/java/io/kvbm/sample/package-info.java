/** A completions service whose KV cache is managed by kvbm. */
@NullMarked
package io.kvbm.sample;

import org.jspecify.annotations.NullMarked;
