// SPDX-License-Identifier: BSL-1.0
#include <tendril/detail/semaphore_core.hpp>

#include "sync/waiting.hpp"

#include <cerrno>

namespace tendril::detail {

bool semaphore_core::try_acquire() noexcept {
    std::uint64_t seen = queue_.word.load(std::memory_order_relaxed);
    // While somebody waits there are no permits, except for a moment under the lock.
    while (seen >> word_shift != 0 && (seen & word_locked) == 0) {
        if (exchange_word(queue_.word, seen, seen - (1U << word_shift))) {
            return true;
        }
    }
    if ((seen & word_locked) != 0) {
        word_lock lock(queue_);
        if (lock.value() != 0) {
            lock.set(lock.value() - (1U << word_shift));
            return true;
        }
    }
    charge_turn();
    return false;
}

outcome semaphore_core::acquire_until(time_point deadline, const char* what) {
    std::uint64_t seen = queue_.word.load(std::memory_order_relaxed);
    while (seen >> word_shift != 0 && (seen & word_locked) == 0) {
        if (exchange_word(queue_.word, seen, seen - (1U << word_shift))) {
            charge_turn(); // consumers of what other threads produce may never have to wait
            return outcome::done;
        }
    }
    return wait_unless(queue_, what, deadline, [this](word_lock& lock) {
        if (lock.value() != 0) {
            lock.set(lock.value() - (1U << word_shift));
            return std::optional(outcome::done);
        }
        return closed_ ? std::optional(outcome::closed) : std::nullopt;
    });
}

void semaphore_core::release(std::uint64_t permits, std::uint64_t maximum) {
    std::uint64_t seen = queue_.word.load(std::memory_order_relaxed);
    while ((seen & word_flags) == 0) {
        if (permits > maximum - (seen >> word_shift)) {
            throw_error(EOVERFLOW, "release beyond the maximum of semaphore", this);
        }
        if (exchange_word(queue_.word, seen, seen + (permits << word_shift))) {
            return;
        }
    }
    won_fibers won;
    word_lock lock(queue_);
    if (permits > maximum - (lock.value() >> word_shift)) {
        lock.unlock();
        throw_error(EOVERFLOW, "release beyond the maximum of semaphore", this);
    }
    while (permits != 0) {
        const waiter* w = win_first(queue_.first);
        if (w == nullptr) {
            break;
        }
        won.add(w->who);
        --permits;
    }
    lock.set(lock.value() + (permits << word_shift));
}

void semaphore_core::close() noexcept {
    won_fibers won;
    const word_lock lock(queue_);
    closed_ = true;
    won.win_all(queue_.first, wake::closed);
}

// ----------------------------------------------------------------------------------------- event

void event_core::set() noexcept {
    std::uint64_t seen = queue_.word.load(std::memory_order_relaxed);
    while ((seen & word_flags) == 0) {
        if (exchange_word(queue_.word, seen, is_set_mark)) { // also if it is set: to be seen
            return;
        }
    }
    won_fibers won;
    word_lock lock(queue_);
    won.win_all(queue_.first);
    lock.set(is_set_mark);
}

void event_core::clear() noexcept {
    std::uint64_t seen = is_set_mark;
    if (!exchange_word(queue_.word, seen, 0) && seen != 0) {
        word_lock lock(queue_);
        lock.set(0);
    }
}

bool event_core::wait(time_point deadline) {
    return wait_unless(queue_, "event", deadline, [](const word_lock& lock) {
               return done_if(lock.value() != 0);
           }) == outcome::done;
}

// ----------------------------------------------------------------------------------------- latch

void latch_core::count_down(std::uint64_t by) {
    std::uint64_t seen = queue_.word.load(std::memory_order_relaxed);
    for (;;) {
        const std::uint64_t left = seen >> word_shift;
        if (by > left) {
            throw_error(EINVAL, "count_down below zero of latch", this);
        }
        if ((seen & word_locked) != 0 || (left == by && (seen & word_awaited) != 0)) {
            break;
        }
        if (exchange_word(queue_.word, seen, seen - (by << word_shift))) {
            return;
        }
    }
    won_fibers won;
    word_lock lock(queue_);
    if (by << word_shift > lock.value()) {
        lock.unlock();
        throw_error(EINVAL, "count_down below zero of latch", this);
    }
    lock.set(lock.value() - (by << word_shift));
    if (lock.value() == 0) {
        won.win_all(queue_.first);
    }
}

bool latch_core::wait(time_point deadline) {
    return wait_unless(queue_, "latch", deadline, [](const word_lock& lock) {
               return done_if(lock.value() == 0);
           }) == outcome::done;
}

// --------------------------------------------------------------------------------------- barrier

std::uint64_t barrier_core::arrive(std::uint64_t by, bool drop, bool& last) {
    word_lock lock(queue_);
    if (by > pending_ || by == 0) {
        lock.unlock();
        throw_error(EINVAL, "arrival of more than are expected at barrier", this);
    }
    const std::uint64_t phase = lock.value();
    expected_ -= drop ? 1 : 0;
    pending_ -= by;
    last = pending_ == 0;
    return phase;
}

void barrier_core::complete() noexcept {
    won_fibers won;
    word_lock lock(queue_);
    pending_ = expected_;
    lock.set(lock.value() + (1U << word_shift));
    won.win_all(queue_.first);
}

void barrier_core::wait(std::uint64_t phase) {
    if ((queue_.word.load(std::memory_order_acquire) & ~word_flags) != phase) {
        return;
    }
    wait_unless(queue_, "barrier", never,
                [phase](const word_lock& lock) { return done_if(lock.value() != phase); });
}

} // namespace tendril::detail
