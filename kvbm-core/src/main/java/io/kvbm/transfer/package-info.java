/** Moving bytes between blocks: requests, the strategy table, engines, completion. */
@NullMarked
package io.kvbm.transfer;

import org.jspecify.annotations.NullMarked;
