/** Tokens and what identifies a block of them: block hash, sequence hash, block identity, content fingerprint. */
@NullMarked
package io.kvbm.token;

import org.jspecify.annotations.NullMarked;
