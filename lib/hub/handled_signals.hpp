// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/wait_reason.hpp"

#include <atomic>
#include <cstdint>

namespace tendril::detail {

/// When signal handlers last ran on a hub's thread. Written by them. A wait that begins after a
/// handler was not interrupted by it, so times are the hub's count of switches.
class handled_signals {
public:
    /// Async-signal-safe.
    void note(std::uint64_t switches, bool restarts) noexcept {
        any_at_.store(switches, std::memory_order_relaxed);
        if (!restarts) {
            unrestarted_at_.store(switches, std::memory_order_relaxed);
        }
        pending_.store(true, std::memory_order_seq_cst);
    }

    /// For another thread, whose count begins anew.
    void forget() noexcept {
        pending_.store(false, std::memory_order_relaxed);
        any_at_.store(0, std::memory_order_relaxed);
        unrestarted_at_.store(0, std::memory_order_relaxed);
    }

    /// The hub has not looked yet which waits they end.
    bool pending() const noexcept { return pending_.load(std::memory_order_relaxed); }
    void looked() noexcept { pending_.store(false, std::memory_order_relaxed); }

    /// A handler that ends such a wait has run since it began.
    bool interrupted(const wait_reason& why) const noexcept {
        const auto& at = why.by_signals == interruption::always ? any_at_ : unrestarted_at_;
        return why.by_signals != interruption::none &&
               why.since < at.load(std::memory_order_relaxed);
    }

private:
    std::atomic<bool> pending_{false};
    std::atomic<std::uint64_t> any_at_{0};
    std::atomic<std::uint64_t> unrestarted_at_{0}; ///< of those without SA_RESTART
};

} // namespace tendril::detail
