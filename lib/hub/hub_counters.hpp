// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/wait_reason.hpp"

#include <array>
#include <cstdint>

namespace tendril::detail {

/// Of one thread's use of a hub, from its beginning.
struct hub_counters {
    std::uint64_t spawned = 0;
    std::uint64_t finished = 0;
    std::uint64_t polls = 0;
    std::uint64_t sleeps = 0; ///< polls that were allowed to wait
    std::uint64_t remote_wakes = 0;
    std::array<std::uint64_t, wait_kinds> waits{};
};

} // namespace tendril::detail
