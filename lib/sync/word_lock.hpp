// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/single_threaded.hpp"
#include "hub/wait_list.hpp"

#include <tendril/detail/wait_queue.hpp>

#include <atomic>
#include <cstdint>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::detail {

inline constexpr std::uint64_t word_locked = 1;
inline constexpr std::uint64_t word_awaited = 2; ///< somebody is in the queue
inline constexpr std::uint64_t word_flags = 3;
inline constexpr unsigned word_shift = 2; ///< where a count begins

/// The one step of an operation that meets nobody. A process with one thread needs no atomic one.
inline bool exchange_word(std::atomic<std::uint64_t>& word, std::uint64_t& expected,
                          std::uint64_t to) noexcept {
    if (!single_threaded()) {
        return word.compare_exchange_strong(expected, to, std::memory_order_acq_rel,
                                            std::memory_order_acquire);
    }
    const std::uint64_t now = word.load(std::memory_order_relaxed);
    if (now != expected) {
        expected = now;
        return false;
    }
    word.store(to, std::memory_order_relaxed);
    return true;
}

/// Returns the word without the lock's bit.
inline std::uint64_t lock_word(std::atomic<std::uint64_t>& word) noexcept {
    if (single_threaded()) {
        return word.load(std::memory_order_relaxed);
    }
    unsigned spins = 0;
    std::uint64_t before = 0;
    while (((before = word.fetch_or(word_locked, std::memory_order_acquire)) & word_locked) != 0) {
        while ((word.load(std::memory_order_relaxed) & word_locked) != 0) {
            // As in base/spin_lock.hpp.
            if (++spins > 100) {
                ::syscall(SYS_sched_yield);
            }
        }
    }
    return before;
}

/// Holds the lock in a word that is nothing else: it takes no time while there is one thread.
class bare_lock {
public:
    explicit bare_lock(std::atomic<std::uint64_t>& word) noexcept
        : word_(single_threaded() ? nullptr : &word) {
        if (word_ != nullptr) {
            lock_word(*word_);
        }
    }
    ~bare_lock() {
        if (word_ != nullptr) {
            word_->store(0, std::memory_order_release);
        }
    }
    bare_lock(const bare_lock&) = delete;
    bare_lock& operator=(const bare_lock&) = delete;

private:
    std::atomic<std::uint64_t>* word_;
};

/// Holds the lock of a wait_queue: for a few instructions that never wait nor switch. Its end is
/// the last that the holder touches of the object.
class word_lock {
public:
    explicit word_lock(wait_queue& q) noexcept
        : queue_(&q)
        , value_(lock_word(q.word) & ~word_flags) {}
    ~word_lock() { unlock(); }
    word_lock(const word_lock&) = delete;
    word_lock& operator=(const word_lock&) = delete;

    std::uint64_t value() const noexcept { return value_; }
    void set(std::uint64_t value) noexcept { value_ = value; }

    void unlock() noexcept {
        if (queue_ != nullptr) {
            const std::uint64_t awaited = queue_->first != nullptr ? word_awaited : 0;
            queue_->word.store(value_ | awaited, std::memory_order_release);
            queue_ = nullptr;
        }
    }

private:
    wait_queue* queue_;
    std::uint64_t value_;
};

} // namespace tendril::detail
