// SPDX-License-Identifier: BSL-1.0
#include "sys/calls.hpp"

namespace tendril::sys {

constinit calls real;

void rebind(void* (*lookup)(const char* name)) noexcept {
#define TENDRIL_SYS_REBIND(name)                                                                   \
    if (void* original = lookup(#name); original != nullptr) {                                     \
        real.name = reinterpret_cast<decltype(real.name)>(original);                               \
    }
    TENDRIL_SYS_CALLS(TENDRIL_SYS_REBIND)
#undef TENDRIL_SYS_REBIND
}

} // namespace tendril::sys
