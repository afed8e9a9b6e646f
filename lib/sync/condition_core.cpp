// SPDX-License-Identifier: BSL-1.0
#include "sync/waiting.hpp"

#include <tendril/detail/mutex_core.hpp>

#include <atomic>
#include <cerrno>

namespace tendril::detail {
namespace {

struct condition_waiter : waiter {
    /// Set last by who takes the node out. As of std: when everybody has been notified, the
    /// condition variable may be destroyed, though some have not returned from their wait.
    std::atomic<bool> notified{false};
};

/// Takes out the first. Its node may be gone when this returns.
ticket take_first(waiter*& first) noexcept {
    auto& node = static_cast<condition_waiter&>(*first);
    const ticket who = node.who;
    remove_waiter(first, node);
    node.notified.store(true, std::memory_order_release);
    return who;
}

/// As std's, wait() does not return, in whatever way, without the mutex.
void lock_again(mutex_core& held) noexcept {
    held.lock();
}

} // namespace

void condition_core::notify_one() noexcept {
    if (queue_.deserted()) {
        return;
    }
    fiber_record* won = nullptr;
    {
        const word_lock lock(queue_);
        while (won == nullptr && queue_.first != nullptr) {
            const ticket who = take_first(queue_.first);
            won = hub_core::win(who, wake::ready) ? who.fiber : nullptr;
        }
    }
    if (won != nullptr) {
        hub_core::make_runnable(*won);
    }
}

void condition_core::notify_all() noexcept {
    if (queue_.deserted()) {
        return;
    }
    won_fibers won;
    const word_lock lock(queue_);
    while (queue_.first != nullptr) {
        const ticket who = take_first(queue_.first);
        if (hub_core::win(who, wake::ready)) {
            won.add(who);
        }
    }
}

bool condition_core::wait_until(mutex_core* held, time_point deadline) {
    if (held == nullptr || !held->is_mine()) {
        throw_error(
            EPERM, "wait with a mutex that the caller does not hold, for condition_variable", this);
    }
    hub_core& hub = hub_core::current();
    condition_waiter node;
    {
        const word_lock lock(queue_);
        enlist(queue_.first, node, hub);
    }
    held->unlock(); // never switches, so it may come between prepare() and park()
    const wait_reason why{wait_kind::sync, "condition_variable", -1, this};
    const wake end = hub.park(node.who, why, deadline);
    if (end != wake::ready && !node.notified.load(std::memory_order_acquire)) {
        const word_lock lock(queue_);
        remove_waiter(queue_.first, node);
    }
    lock_again(*held);
    return outcome_of(end, why) == outcome::done;
}

} // namespace tendril::detail
