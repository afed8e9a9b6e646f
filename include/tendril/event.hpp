// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/semaphore_core.hpp>

#include <chrono>

namespace tendril {

namespace detail {
struct wait_access;
}

inline namespace v1 {

/// Something that has happened, or not yet: everybody waits until it is set, and nobody waits while
/// it is. It stays set until clear(). For fibers of one hub and of several, and for plain threads,
/// which get a hub when they must wait. As Python's and gevent's Event.
///
/// What was written before set() is seen after the wait. Destroying it while fibers wait says so
/// on stderr and terminates.
class event {
public:
    constexpr explicit event(bool set = false) noexcept
        : core_(set) {}
    event(const event&) = delete;
    event& operator=(const event&) = delete;

    /// Wakes all who wait, also if clear() follows at once. Never waits.
    void set() noexcept { core_.set(); }
    void clear() noexcept { core_.clear(); }
    bool is_set() const noexcept { return core_.is_set(); }

    /// Waits until the event is set; returns at once if it is.
    /// @throws cancelled, timed_out: see <tendril/cancel.hpp>.
    void wait() { core_.wait_until(detail::steady_time::max()); }

    /// Waits for at most `duration` (zero or negative: only looks).
    /// @returns whether it was set.
    template <typename Rep, typename Period>
    bool wait_for(const std::chrono::duration<Rep, Period>& duration) {
        return core_.wait_until(detail::deadline_after(duration));
    }

    /// Waits until `deadline` at most.
    template <typename Clock, typename Duration>
    bool wait_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return core_.wait_until(detail::deadline_at(deadline));
    }

private:
    friend struct detail::wait_access;
    detail::event_core core_;
};

} // namespace v1
} // namespace tendril
