// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/mutex_core.hpp>

#include <chrono>
#include <cstddef>

namespace tendril {
inline namespace v1 {

/// std::mutex and std::timed_mutex in one, for fibers: whoever waits parks, and its thread runs
/// other fibers. It may be used by fibers of one hub and of several, and by plain threads, which
/// get a hub when they must wait.
///
/// First come, first served: unlock() hands it to whoever waits longest. While nobody else wants
/// it, neither a system call nor a hub is needed. A fiber may hold it while it waits for something
/// else.
///
/// To lock is no cancellation point. Misuse is answered: see lock() and unlock(); an object that is
/// destroyed while fibers wait for it says so on stderr and calls std::terminate (unless it is
/// static and the process ends).
class mutex {
public:
    constexpr mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Waits until the mutex is free, and takes it.
    /// @throws std::system_error EDEADLK (std::errc::resource_deadlock_would_occur): the caller
    /// holds it already. EMFILE and the like: the calling thread needs a hub and cannot have it.
    void lock() { core_.lock(); }

    /// Takes it if it is free, or about to be taken by a fiber that waited, which then waits on as
    /// the first in line (without this, std::lock and std::scoped_lock could go on for ever). Never
    /// waits; of many failures in a row now and then one lets other fibers run first.
    bool try_lock() noexcept { return core_.try_lock(); }

    /// Waits like lock(), for at most `duration` (zero or negative: only tries).
    /// @returns whether the caller now holds it.
    template <typename Rep, typename Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period>& duration) {
        return core_.lock_until(detail::deadline_after(duration));
    }

    /// Waits like lock(), until `deadline`.
    template <typename Clock, typename Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return core_.lock_until(detail::deadline_at(deadline));
    }

    /// Hands it to whoever waits longest. Never waits.
    /// @throws std::system_error EPERM: the calling fiber, or thread, does not hold it. (In the
    /// destructor of a lock_guard that terminates.)
    void unlock() { core_.unlock(); }

private:
    friend class condition_variable;
    detail::mutex_core core_;
};

/// std::recursive_mutex and std::recursive_timed_mutex in one: its owner may lock it again, and
/// unlocks it as often. All else as mutex.
class recursive_mutex {
public:
    constexpr recursive_mutex() noexcept = default;
    recursive_mutex(const recursive_mutex&) = delete;
    recursive_mutex& operator=(const recursive_mutex&) = delete;

    void lock() {
        if (!enter_again()) {
            core_.lock();
        }
    }

    bool try_lock() noexcept { return enter_again() || core_.try_lock(); }

    template <typename Rep, typename Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period>& duration) {
        return enter_again() || core_.lock_until(detail::deadline_after(duration));
    }

    template <typename Clock, typename Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return enter_again() || core_.lock_until(detail::deadline_at(deadline));
    }

    /// @throws std::system_error EPERM: the caller does not hold it.
    void unlock() {
        if (core_.is_mine() && again_ != 0) { // in this order: again_ is the owner's to read
            --again_;
        } else {
            core_.unlock();
        }
    }

private:
    bool enter_again() noexcept {
        if (!core_.is_mine()) {
            return false; // and again_ is somebody else's
        }
        ++again_;
        return true;
    }

    detail::mutex_core core_;
    std::size_t again_ = 0; // the owner's
};

} // namespace v1
} // namespace tendril
