/** Other workers: what they export and hold, and how bytes come over from them. */
@NullMarked
package io.kvbm.remote;

import org.jspecify.annotations.NullMarked;
