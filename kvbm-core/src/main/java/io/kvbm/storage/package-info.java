/** Memory of one kind and its allocators. */
@NullMarked
package io.kvbm.storage;

import org.jspecify.annotations.NullMarked;
