/** The language model: weights on ONNX Runtime, tokenizer, configuration. */
@NullMarked
package io.kvbm.sample.model;

import org.jspecify.annotations.NullMarked;
