/**
 * NVIDIA's NIXL, which moves bytes between the memories of processes and hosts: the library as JNA binds it, and the
 * agent, its backends, registrations, prepared lists and requests on top. The only room that names JNA.
 */
@NullMarked
package io.kvbm.nixl;

import org.jspecify.annotations.NullMarked;
