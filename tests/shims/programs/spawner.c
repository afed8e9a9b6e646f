// SPDX-License-Identifier: BSL-1.0
// A library that spawns, and may be gone when its fibers run.

#include <tendril.h>

tendril_fiber* spawn_from_library(void* (*function)(void*), void* argument) {
    tendril_fiber* const volatile fiber = tendril_spawn(function, argument, 0);
    return fiber;
}
