/** What actuator tells of the block manager: endpoint, health, info. */
@NullMarked
package io.kvbm.spring.boot.actuate;

import org.jspecify.annotations.NullMarked;
