/** A block: its memory, its content state and the handles through which it is held. */
@NullMarked
package io.kvbm.block;

import org.jspecify.annotations.NullMarked;
