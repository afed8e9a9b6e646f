// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the headers of things to wait for are built on. Nothing here is for direct use.

#include <tendril/detail/task.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace tendril {
namespace detail {

struct waiter;

using steady_time = std::chrono::steady_clock::time_point;

/// The deadline of what must not wait at all.
inline constexpr steady_time at_once = steady_time::min();

/// A point in time of any clock, as one of the hubs' clock. Converted once: what happens to the
/// other clock during the wait changes nothing.
template <typename Clock, typename Duration>
steady_time deadline_at(const std::chrono::time_point<Clock, Duration>& at) {
    if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
        return std::chrono::time_point_cast<std::chrono::steady_clock::duration>(at);
    } else {
        return deadline_after(at - Clock::now());
    }
}

/// How a wait may end that has a deadline or can be closed.
enum class outcome : std::uint8_t { done, timeout, closed };

/// A word and the queue of those who wait for it to change. The two lowest bits of the word are the
/// lock of the queue, and whether anybody is in it; the rest is the primitive's. All in one word,
/// so that one store ends an operation: whoever sees its result may destroy the object.
struct wait_queue {
    constexpr explicit wait_queue(std::uint64_t initial = 0) noexcept
        : word(initial) {}
    wait_queue(const wait_queue&) = delete;
    wait_queue& operator=(const wait_queue&) = delete;

    bool deserted() const noexcept { return (word.load(std::memory_order_acquire) & 2) == 0; }

    /// For destructors: whoever still waits here would wait for ever, in freed memory. Says so and
    /// terminates, unless those who wait are gone with their threads, or the process ends.
    void end(const char* what, const void* object) const noexcept {
        if (!deserted()) {
            end_awaited(what, object);
        }
    }

    std::atomic<std::uint64_t> word;
    waiter* first = nullptr;

private:
    TENDRIL_EXPORT void end_awaited(const char* what, const void* object) const noexcept;
};

} // namespace detail
} // namespace tendril
