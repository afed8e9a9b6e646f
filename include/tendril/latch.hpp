// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/semaphore_core.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace tendril {
inline namespace v1 {

/// std::latch for fibers of one hub and of several, and plain threads: counts down to zero once,
/// and lets all go who wait for that. Destroying it while fibers wait says so on stderr and
/// terminates.
class latch {
public:
    /// @throws std::system_error EINVAL: less than 0 or more than max().
    constexpr explicit latch(std::ptrdiff_t count)
        : core_(checked(count)) {}
    latch(const latch&) = delete;
    latch& operator=(const latch&) = delete;

    static constexpr std::ptrdiff_t max() noexcept {
        return static_cast<std::ptrdiff_t>(detail::semaphore_core::most);
    }

    /// Never waits.
    /// @throws std::system_error EINVAL: by more than what is left.
    void count_down(std::ptrdiff_t by = 1) { core_.count_down(checked(by)); }
    bool try_wait() const noexcept { return core_.is_zero(); }

    /// Waits until the count is zero.
    /// @throws cancelled, timed_out: see <tendril/cancel.hpp>.
    void wait() { core_.wait_until(detail::steady_time::max()); }

    /// Waits for at most `duration`. @returns whether the count is zero.
    template <typename Rep, typename Period>
    bool wait_for(const std::chrono::duration<Rep, Period>& duration) {
        return core_.wait_until(detail::deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool wait_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return core_.wait_until(detail::deadline_at(deadline));
    }

    void arrive_and_wait(std::ptrdiff_t by = 1) {
        count_down(by);
        wait();
    }

private:
    static constexpr std::uint64_t checked(std::ptrdiff_t count) {
        if (count < 0 || count > max()) {
            throw std::system_error(EINVAL, std::system_category(), "count of a latch");
        }
        return static_cast<std::uint64_t>(count);
    }

    detail::latch_core core_;
};

} // namespace v1
} // namespace tendril
