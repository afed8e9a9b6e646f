// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/wait_queue.hpp>
#include <tendril/export.hpp>

#include <cstddef>
#include <cstdint>

namespace tendril {
namespace detail {

/// Permits, handed out in the order of asking.
class TENDRIL_EXPORT semaphore_core {
public:
    static constexpr std::uint64_t most = static_cast<std::uint64_t>(PTRDIFF_MAX) >> 2;

    constexpr explicit semaphore_core(std::uint64_t permits) noexcept
        : queue_(permits << 2) {}
    ~semaphore_core() { end("semaphore", this); }

    /// As its destructor, for the destructor of what it is a part of.
    void end(const char* what, const void* object) const noexcept { queue_.end(what, object); }

    /// `closed` if there are no permits and none will come.
    outcome acquire_until(steady_time deadline, const char* what = "semaphore");
    bool try_acquire() noexcept;
    void release(std::uint64_t permits, std::uint64_t maximum = most);
    /// From now on nobody waits: those who do, and those who come and find no permit, get `closed`.
    void close() noexcept;
    std::uint64_t permits() const noexcept {
        return queue_.word.load(std::memory_order_relaxed) >> 2;
    }

private:
    wait_queue queue_; // the word: permits << 2
    bool closed_ = false;
};

/// Set or not; everybody waits until it is set.
class TENDRIL_EXPORT event_core {
public:
    constexpr explicit event_core(bool set = false) noexcept
        : queue_(set ? is_set_mark : 0) {}
    ~event_core() { end("event", this); }

    /// As its destructor, for the destructor of what it is a part of.
    void end(const char* what, const void* object) const noexcept { queue_.end(what, object); }

    void set() noexcept;
    void clear() noexcept;
    bool is_set() const noexcept {
        return (queue_.word.load(std::memory_order_acquire) & is_set_mark) != 0;
    }
    bool wait_until(steady_time deadline) { return is_set() || wait(deadline); }

private:
    friend struct event_access; // the library's side
    static constexpr std::uint64_t is_set_mark = 4;
    bool wait(steady_time deadline);

    wait_queue queue_;
};

/// Counts down to zero, once.
class TENDRIL_EXPORT latch_core {
public:
    constexpr explicit latch_core(std::uint64_t count) noexcept
        : queue_(count << 2) {}
    ~latch_core() { queue_.end("latch", this); }

    void count_down(std::uint64_t by);
    bool is_zero() const noexcept { return queue_.word.load(std::memory_order_acquire) >> 2 == 0; }
    bool wait_until(steady_time deadline) { return is_zero() || wait(deadline); }

private:
    bool wait(steady_time deadline);

    wait_queue queue_; // the word: what is left << 2
};

/// Counts arrivals, phase after phase.
class TENDRIL_EXPORT barrier_core {
public:
    constexpr explicit barrier_core(std::uint64_t expected) noexcept
        : expected_(expected)
        , pending_(expected) {}
    ~barrier_core() { queue_.end("barrier", this); }

    /// Which phase this was. `last`: the caller must complete() it.
    std::uint64_t arrive(std::uint64_t by, bool drop, bool& last);
    void complete() noexcept;
    void wait(std::uint64_t phase);

private:
    wait_queue queue_; // the word: the phase << 2
    std::uint64_t expected_;
    std::uint64_t pending_;
};

} // namespace detail
} // namespace tendril
