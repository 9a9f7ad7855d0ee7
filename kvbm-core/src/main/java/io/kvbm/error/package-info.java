/** The exception tree: one sealed family under {@link io.kvbm.error.KvbmException}, each member with a decision. */
@NullMarked
package io.kvbm.error;

import org.jspecify.annotations.NullMarked;
