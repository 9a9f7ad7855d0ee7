/** What happened to blocks: stored, removed, cleared, in order and as values. */
@NullMarked
package io.kvbm.event;

import org.jspecify.annotations.NullMarked;
