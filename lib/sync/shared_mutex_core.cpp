// SPDX-License-Identifier: BSL-1.0
#include "sync/waiting.hpp"

#include <tendril/detail/mutex_core.hpp>

#include <cerrno>

namespace tendril::detail {
namespace {

struct shared_waiter : waiter {
    std::uint64_t owner = 0;
    bool shared = false;
};

constexpr std::uint64_t is_shared = owned_by_several;
constexpr std::uint64_t one_more = 16;

constexpr bool can_share(std::uint64_t value) noexcept {
    return value == 0 || (value & is_shared) != 0;
}

constexpr std::uint64_t with_one_more(std::uint64_t value) noexcept {
    return (value | is_shared) + one_more;
}

constexpr std::uint64_t with_one_less(std::uint64_t value) noexcept {
    return value == (is_shared | one_more) ? 0 : value - one_more;
}

/// Lets in whoever may go on now, from the first on. Returns the new value.
std::uint64_t admit(std::uint64_t value, waiter*& first, won_fibers& won) noexcept {
    while (first != nullptr) {
        const auto& next = static_cast<shared_waiter&>(*first);
        if (next.shared ? !can_share(value) : value != 0) {
            break;
        }
        const ticket who = next.who;
        const std::uint64_t after = next.shared ? with_one_more(value) : next.owner | handed_over;
        pop_waiter(first);
        if (hub_core::win(who, wake::ready)) {
            value = after;
            won.add(who);
        }
    }
    return value;
}

} // namespace

bool shared_mutex_core::lock_until(time_point deadline) {
    const std::uint64_t self = current_owner();
    std::uint64_t seen = 0;
    if (exchange_word(queue_.word, seen, self)) {
        return true;
    }
    if ((seen & ~word_flags) == self) {
        throw_error(EDEADLK, "lock by its owner of shared_mutex", this);
    }
    return wait(self, false, deadline);
}

bool shared_mutex_core::lock_shared_until(time_point deadline) {
    std::uint64_t seen = queue_.word.load(std::memory_order_relaxed);
    while ((seen & word_flags) == 0 && can_share(seen)) {
        if (exchange_word(queue_.word, seen, with_one_more(seen))) {
            return true;
        }
    }
    const std::uint64_t self = current_owner();
    if ((seen & ~word_flags) == self) {
        throw_error(EDEADLK, "lock_shared by its owner of shared_mutex", this);
    }
    return wait(self, true, deadline);
}

bool shared_mutex_core::try_lock() noexcept {
    const std::uint64_t self = current_owner();
    std::uint64_t seen = 0;
    if (exchange_word(queue_.word, seen, self)) {
        return true;
    }
    {
        word_lock lock(queue_);
        if (lock.value() == 0 || (lock.value() & (handed_over | is_shared)) == handed_over) {
            lock.set(self);
            return true;
        }
    }
    charge_turn();
    return false;
}

bool shared_mutex_core::try_lock_shared() noexcept {
    {
        word_lock lock(queue_);
        if (queue_.first == nullptr && can_share(lock.value())) {
            lock.set(with_one_more(lock.value()));
            return true;
        }
    }
    charge_turn();
    return false;
}

/// Whether the one who asks may go in now, or was let in.
bool shared_mutex_core::enter(std::uint64_t& value, std::uint64_t self, bool shared) noexcept {
    if (value == (self | handed_over)) {
        value = self;
        return true;
    }
    if (queue_.first != nullptr || (shared ? !can_share(value) : value != 0)) {
        return false;
    }
    value = shared ? with_one_more(value) : self;
    return true;
}

bool shared_mutex_core::wait(std::uint64_t self, bool shared, time_point deadline) {
    hub_core& hub = hub_core::current();
    const bool may_wait = !is_past(hub, deadline);
    shared_waiter node;
    node.owner = self;
    node.shared = shared;
    bool was_first = false;
    for (;;) {
        {
            word_lock lock(queue_);
            std::uint64_t value = lock.value();
            if (enter(value, self, shared)) {
                lock.set(value);
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
        const char* const what = shared ? "shared_mutex (to share)" : "shared_mutex";
        const wait_reason why{wait_kind::sync, what, -1, this, false, true};
        const wake end = hub.park(node.who, why, deadline);
        was_first = end == wake::ready;
        if (was_first && shared) {
            return true;
        }
        if (!was_first) {
            won_fibers won; // those who stood behind us may fit in
            word_lock lock(queue_);
            remove_waiter(queue_.first, node);
            lock.set(admit(lock.value(), queue_.first, won));
        }
        if (end == wake::timeout) {
            return false;
        }
        hub.throw_if_deadlocked();
        // If not ready it was cancelled, which to lock a mutex does not heed.
    }
}

void shared_mutex_core::unlock() {
    const std::uint64_t self = current_owner();
    std::uint64_t seen = self;
    if (exchange_word(queue_.word, seen, 0)) {
        return;
    }
    won_fibers won;
    word_lock lock(queue_);
    if (lock.value() != self) {
        lock.unlock();
        throw_error(EPERM, "unlock by another than its owner of shared_mutex", this);
    }
    lock.set(admit(0, queue_.first, won));
}

void shared_mutex_core::unlock_shared() {
    std::uint64_t seen = queue_.word.load(std::memory_order_relaxed);
    while ((seen & word_flags) == 0 && (seen & is_shared) != 0) {
        if (exchange_word(queue_.word, seen, with_one_less(seen))) {
            return;
        }
    }
    won_fibers won;
    word_lock lock(queue_);
    if ((lock.value() & is_shared) == 0) {
        lock.unlock();
        throw_error(EPERM, "unlock_shared of what nobody shares, shared_mutex", this);
    }
    lock.set(admit(with_one_less(lock.value()), queue_.first, won));
}

} // namespace tendril::detail
