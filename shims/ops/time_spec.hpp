// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"

#include <chrono>
#include <cstdint>
#include <sys/time.h>
#include <time.h>

namespace tendril::detail::shim {

inline constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

/// As the kernel: EINVAL otherwise.
inline bool valid(const timespec& t) noexcept {
    return t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < nanoseconds_per_second;
}

/// Saturating: what lies beyond the end of time is the end of time.
inline std::chrono::nanoseconds duration_of(const timespec& t) noexcept {
    std::int64_t n;
    if (__builtin_mul_overflow(std::int64_t{t.tv_sec}, nanoseconds_per_second, &n) ||
        __builtin_add_overflow(n, std::int64_t{t.tv_nsec}, &n)) {
        return std::chrono::nanoseconds::max();
    }
    return std::chrono::nanoseconds(n);
}

inline timespec spec_of(std::chrono::nanoseconds d) noexcept {
    return {d.count() / nanoseconds_per_second, d.count() % nanoseconds_per_second};
}

inline time_point deadline_in(std::chrono::nanoseconds d) noexcept {
    if (d.count() <= 0) {
        return time_point::min(); // one attempt
    }
    const time_point now = std::chrono::steady_clock::now();
    return d >= never - now ? never : now + d;
}

inline std::chrono::nanoseconds left_until(time_point deadline) noexcept {
    if (deadline == never) {
        return std::chrono::nanoseconds::max();
    }
    const time_point now = std::chrono::steady_clock::now();
    return deadline <= now ? std::chrono::nanoseconds(0) : deadline - now;
}

/// Of poll(2) and epoll_wait(2): negative never ends.
inline time_point deadline_in_milliseconds(int timeout) noexcept {
    return timeout < 0 ? never : deadline_in(std::chrono::milliseconds(timeout));
}

/// Null never ends.
inline time_point deadline_of(const timespec* timeout) noexcept {
    return timeout == nullptr ? never : deadline_in(duration_of(*timeout));
}

} // namespace tendril::detail::shim
