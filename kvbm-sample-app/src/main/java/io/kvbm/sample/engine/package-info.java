/** Generation over blocks of KV cache. */
@NullMarked
package io.kvbm.sample.engine;

import org.jspecify.annotations.NullMarked;
