// SPDX-License-Identifier: BSL-1.0
#include <tendril/detail/mutex_core.hpp>

#include "sync/waiting.hpp"

#include <cerrno>

namespace tendril::detail {
namespace {

struct mutex_waiter : waiter {
    std::uint64_t owner = 0;
};

} // namespace

void mutex_core::lock() {
    const std::uint64_t self = current_owner();
    std::uint64_t seen = 0;
    if (!exchange_word(queue_.word, seen, self)) {
        wait(self, seen, never);
    }
}

bool mutex_core::lock_until(time_point deadline) {
    const std::uint64_t self = current_owner();
    std::uint64_t seen = 0;
    return exchange_word(queue_.word, seen, self) || wait(self, seen, deadline);
}

bool mutex_core::try_lock() noexcept {
    const std::uint64_t self = current_owner();
    std::uint64_t seen = 0;
    if (exchange_word(queue_.word, seen, self)) {
        return true;
    }
    // Somebody may only be looking at it: wait those few instructions.
    if ((seen & ~word_flags) == 0 || (seen & handed_over) != 0) {
        word_lock lock(queue_);
        if (lock.value() == 0 || (lock.value() & handed_over) != 0) {
            lock.set(self);
            return true;
        }
    }
    charge_turn();
    return false;
}

bool mutex_core::wait(std::uint64_t self, std::uint64_t seen, time_point deadline) {
    if ((seen & ~word_flags) == self) {
        throw_error(EDEADLK, "lock by its owner of mutex", this);
    }
    hub_core& hub = hub_core::current();
    const bool may_wait = !is_past(hub, deadline);
    mutex_waiter node;
    node.owner = self;
    bool was_first = false;
    for (;;) {
        {
            word_lock lock(queue_);
            if (lock.value() == 0 || lock.value() == (self | handed_over)) {
                lock.set(self);
                return true;
            }
            if (may_wait) {
                enlist(queue_.first, node, hub, was_first);
            }
        }
        if (!may_wait) {
            hub.charge();
            return false;
        }
        const wait_reason why{wait_kind::sync, "mutex", -1, this, false, true};
        const wake end = park_in(hub, queue_, node, why, deadline);
        if (end == wake::timeout) {
            return false;
        }
        was_first = end == wake::ready;
        hub.throw_if_deadlocked();
        // If not ready it was cancelled, which to lock a mutex does not heed.
    }
}

void mutex_core::unlock() {
    const std::uint64_t self = current_owner();
    std::uint64_t seen = self;
    if (!exchange_word(queue_.word, seen, 0)) {
        hand_over(self);
    }
}

/// The next owner stands still until the mutex is free of us.
void mutex_core::hand_over(std::uint64_t self) {
    waiter* next = nullptr;
    {
        word_lock lock(queue_);
        if (lock.value() != self) {
            lock.unlock();
            throw_error(EPERM, "unlock by another than its owner of mutex", this);
        }
        next = win_first(queue_.first);
        lock.set(next != nullptr ? static_cast<mutex_waiter*>(next)->owner | handed_over : 0);
    }
    if (next != nullptr) {
        hub_core::make_runnable(*next->who.fiber);
    }
}

bool mutex_core::is_mine() const noexcept {
    return (queue_.word.load(std::memory_order_relaxed) & ~word_flags) == current_owner();
}

} // namespace tendril::detail
