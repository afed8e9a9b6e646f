// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "shims/ops.hpp"

#include <atomic>

namespace tendril::detail::shim {

/// One hub's counters, and those of the earlier uses of the same hub. Never freed.
struct totals_entry {
    hub_core* hub = nullptr;
    totals_entry* next = nullptr;
    std::atomic<bool> in_use{false};
    std::atomic<std::uint64_t> fibers{0};
    std::atomic<std::uint64_t> switches{0};
    std::array<std::atomic<std::uint64_t>, wait_kinds> waits{};
};

totals_entry& enter(hub_core& hub);        ///< throws std::bad_alloc
void retire(totals_entry& entry) noexcept; ///< the hub's counters start anew with its next thread

/// All hubs of the process since its fork. Any thread; what other threads are doing just now may or
/// may not be in it.
void add_up(tendril_shim_numbers& out) noexcept;

/// True when no shim will write the statistics.
bool alone() noexcept;

} // namespace tendril::detail::shim
