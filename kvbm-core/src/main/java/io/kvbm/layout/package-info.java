/** Where (block, layer, outer part) lies in a region: pure arithmetic. */
@NullMarked
package io.kvbm.layout;

import org.jspecify.annotations.NullMarked;
