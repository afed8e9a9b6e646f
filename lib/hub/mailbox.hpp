// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/inbox.hpp"
#include "fiber/record.hpp"
#include "hub/cancellation.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace tendril::detail {

/// A task that another thread spawned here.
struct arrival {
    task* job;
    std::size_t stack_size;
    std::uint64_t generation;
    std::uint64_t parent;
    const void* from;
    arrival* next = nullptr;
    std::unique_ptr<fiber_values> values{}; ///< that it inherits, if any
};

/// What other threads write of a hub, on cache lines of its own. lib/README.md has the rule for
/// each field.
struct alignas(64) mailbox {
    inbox<fiber_record> woken; ///< they have lost their tickets, and are not in the run queue yet
    inbox<arrival> arrivals;
    inbox<cancel_request> requests;
    std::atomic<std::size_t> arriving{0}; ///< fibers in `arrivals`, or about to be
    std::atomic<bool> sleeping{false};
    std::atomic<std::uint64_t> generation{0};

    bool empty() const noexcept { return woken.empty() && arrivals.empty() && requests.empty(); }
    void reopen() noexcept {
        woken.reopen();
        arrivals.reopen();
        requests.reopen();
    }
};

} // namespace tendril::detail
