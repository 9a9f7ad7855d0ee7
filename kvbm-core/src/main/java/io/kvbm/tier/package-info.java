/** Offload and onboard: copies of blocks between the levels of one worker, and what decides when they are made. */
@NullMarked
package io.kvbm.tier;

import org.jspecify.annotations.NullMarked;
