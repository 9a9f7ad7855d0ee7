/** The clock seam: the only room that asks the machine for the time. */
@NullMarked
package io.kvbm.time;

import org.jspecify.annotations.NullMarked;
