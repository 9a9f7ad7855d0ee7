/** The KV-cache block manager: what an application imports. */
@NullMarked
package io.kvbm;

import org.jspecify.annotations.NullMarked;
