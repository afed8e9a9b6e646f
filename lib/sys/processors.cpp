// SPDX-License-Identifier: BSL-1.0
#include "sys/processors.hpp"

#include <algorithm>
#include <sched.h>
#include <unistd.h>

namespace tendril::sys {

std::size_t processors() noexcept {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    // EINVAL: more CPUs than the set has room for.
    const long count = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0
                           ? CPU_COUNT(&allowed)
                           : ::sysconf(_SC_NPROCESSORS_ONLN);
    return static_cast<std::size_t>(std::max(count, 1L));
}

} // namespace tendril::sys
