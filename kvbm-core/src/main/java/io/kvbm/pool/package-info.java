/** Who owns which block of one level: free list, registry, reuse order, eviction. */
@NullMarked
package io.kvbm.pool;

import org.jspecify.annotations.NullMarked;
