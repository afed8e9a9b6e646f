// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

namespace tendril::sys {

/// On how many CPUs the calling thread may run (sched_getaffinity(2)); at least 1.
std::size_t processors() noexcept;

} // namespace tendril::sys
