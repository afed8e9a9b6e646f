// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/single_threaded.hpp"

#include <atomic>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::detail {

/// Guards a few instructions that never wait, allocate or switch. One byte, so that it fits into
/// table entries; satisfies Lockable.
class spin_lock {
public:
    void lock() noexcept {
        if (single_threaded()) {
            locked_.store(true, std::memory_order_relaxed);
            return;
        }
        for (unsigned spins = 0; locked_.exchange(true, std::memory_order_acquire); ++spins) {
            while (locked_.load(std::memory_order_relaxed)) {
                // The holder may have been preempted: leave the core to it. Not by sched_yield(),
                // which a shim turns into a switch of fibers.
                if (++spins > 100) {
                    ::syscall(SYS_sched_yield);
                }
            }
        }
    }

    bool try_lock() noexcept { return !locked_.exchange(true, std::memory_order_acquire); }

    void unlock() noexcept { locked_.store(false, std::memory_order_release); }

private:
    std::atomic<bool> locked_{false};
};

} // namespace tendril::detail
