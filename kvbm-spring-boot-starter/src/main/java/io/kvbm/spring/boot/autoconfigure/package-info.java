/** Auto-configuration of the block manager from {@code kvbm.*}. */
@NullMarked
package io.kvbm.spring.boot.autoconfigure;

import org.jspecify.annotations.NullMarked;
