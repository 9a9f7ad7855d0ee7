/** OpenAI's completions over HTTP. */
@NullMarked
package io.kvbm.sample.web;

import org.jspecify.annotations.NullMarked;
