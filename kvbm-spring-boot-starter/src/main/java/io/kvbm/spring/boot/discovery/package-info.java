/** Other instances: publishes this one, watches the catalog, and carries what workers ask each other over HTTP. */
@NullMarked
package io.kvbm.spring.boot.discovery;

import org.jspecify.annotations.NullMarked;
