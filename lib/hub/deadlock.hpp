// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"
#include "fiber/record.hpp"
#include "hub/wait_reason.hpp"

#include <cstddef>
#include <cstdint>

namespace tendril::detail {

/// What a hub remembers from one look for a deadlock to the next.
struct deadlock_watch {
    bool (*is_alone)() noexcept = nullptr;         ///< null: not to look for any
    std::size_t hopeful = 0;                       ///< the record last found to have hope
    std::uint64_t quiet_since = ~std::uint64_t{0}; ///< switches when nobody could run any more
    time_point::duration pause{};
    fiber_record* victim = nullptr; ///< who is to learn of it when it goes on
    wait_reason victims_wait;
    std::uint64_t printed = 0; ///< which wait's deadlock was printed
};

} // namespace tendril::detail
