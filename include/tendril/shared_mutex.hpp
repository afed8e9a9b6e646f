// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/mutex_core.hpp>

#include <chrono>

namespace tendril {
inline namespace v1 {

/// std::shared_mutex and std::shared_timed_mutex in one, for fibers and plain threads: held by one,
/// or shared by many. Whoever waits parks, and its thread runs other fibers.
///
/// First come, first served, so neither readers nor writers starve: who wants to share waits behind
/// a writer that waits. Hence nobody should share it twice at a time, as with std: a writer may
/// come in between. To lock is no cancellation point. Destroying it while fibers wait says so on
/// stderr and terminates.
class shared_mutex {
public:
    constexpr shared_mutex() noexcept = default;
    shared_mutex(const shared_mutex&) = delete;
    shared_mutex& operator=(const shared_mutex&) = delete;

    /// Waits until nobody holds nor shares it, and takes it.
    /// @throws std::system_error EDEADLK: the caller holds it already.
    void lock() { core_.lock_until(detail::steady_time::max()); }
    bool try_lock() noexcept { return core_.try_lock(); } ///< as that of mutex
    template <typename Rep, typename Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period>& duration) {
        return core_.lock_until(detail::deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return core_.lock_until(detail::deadline_at(deadline));
    }
    /// Never waits.
    /// @throws std::system_error EPERM: the caller does not hold it.
    void unlock() { core_.unlock(); }

    /// Waits until nobody holds it nor waited before to do so, and shares it.
    /// @throws std::system_error EDEADLK: the caller holds it.
    void lock_shared() { core_.lock_shared_until(detail::steady_time::max()); }
    bool try_lock_shared() noexcept { return core_.try_lock_shared(); }
    template <typename Rep, typename Period>
    bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& duration) {
        return core_.lock_shared_until(detail::deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return core_.lock_shared_until(detail::deadline_at(deadline));
    }
    /// Never waits.
    /// @throws std::system_error EPERM: nobody shares it.
    void unlock_shared() { core_.unlock_shared(); }

private:
    detail::shared_mutex_core core_;
};

} // namespace v1
} // namespace tendril
