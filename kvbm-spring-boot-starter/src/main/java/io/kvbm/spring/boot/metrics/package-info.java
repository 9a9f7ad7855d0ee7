/** What Micrometer counts of the block manager. */
@NullMarked
package io.kvbm.spring.boot.metrics;

import org.jspecify.annotations.NullMarked;
