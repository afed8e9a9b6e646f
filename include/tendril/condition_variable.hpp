// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/mutex_core.hpp>
#include <tendril/mutex.hpp>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace tendril {
inline namespace v1 {

using std::cv_status;

/// std::condition_variable for fibers and plain threads, with tendril::mutex. Whoever waits parks,
/// and its thread runs other fibers. Those who wait are notified in the order of their coming, and
/// there are no spurious wake-ups; still wait for a predicate, for others may hold the mutex
/// before.
///
/// To lock the mutex again is no cancellation point; the wait is one. Once all are notified it may
/// be destroyed, though some have not returned yet; while some are not, destroying it says so on
/// stderr and terminates.
class condition_variable {
public:
    constexpr condition_variable() noexcept = default;
    condition_variable(const condition_variable&) = delete;
    condition_variable& operator=(const condition_variable&) = delete;

    /// Never wait. The mutex need not be held.
    void notify_one() noexcept { core_.notify_one(); }
    void notify_all() noexcept { core_.notify_all(); }

    /// Unlocks, waits to be notified, and locks again, also when it throws.
    /// @throws std::system_error EPERM: the caller does not hold the mutex;
    /// cancelled, timed_out (<tendril/cancel.hpp>).
    void wait(std::unique_lock<mutex>& lock) { wait_until(lock, detail::steady_time::max()); }

    /// Waits until `predicate()`, which is called with the mutex held.
    template <typename Predicate>
    void wait(std::unique_lock<mutex>& lock, Predicate predicate) {
        while (!predicate()) {
            wait(lock);
        }
    }

    /// Waits for at most `duration`. The time to lock the mutex again comes on top.
    template <typename Rep, typename Period>
    cv_status wait_for(std::unique_lock<mutex>& lock,
                       const std::chrono::duration<Rep, Period>& duration) {
        return wait_until(lock, detail::deadline_after(duration));
    }

    /// @returns what the predicate says in the end.
    template <typename Rep, typename Period, typename Predicate>
    bool wait_for(std::unique_lock<mutex>& lock, const std::chrono::duration<Rep, Period>& duration,
                  Predicate predicate) {
        return wait_until(lock, detail::deadline_after(duration), std::move(predicate));
    }

    template <typename Clock, typename Duration>
    cv_status wait_until(std::unique_lock<mutex>& lock,
                         const std::chrono::time_point<Clock, Duration>& deadline) {
        detail::mutex_core* const held = lock.owns_lock() ? &lock.mutex()->core_ : nullptr;
        const bool notified = core_.wait_until(held, detail::deadline_at(deadline));
        return notified ? cv_status::no_timeout : cv_status::timeout;
    }

    template <typename Clock, typename Duration, typename Predicate>
    bool wait_until(std::unique_lock<mutex>& lock,
                    const std::chrono::time_point<Clock, Duration>& deadline, Predicate predicate) {
        const detail::steady_time at = detail::deadline_at(deadline);
        while (!predicate()) {
            if (wait_until(lock, at) == cv_status::timeout) {
                return predicate();
            }
        }
        return true;
    }

private:
    detail::condition_core core_;
};

/// std::condition_variable_any: as condition_variable, with any lock that has lock() and unlock(),
/// as std::unique_lock<recursive_mutex> or std::shared_lock<shared_mutex>.
class condition_variable_any {
public:
    condition_variable_any()
        : inner_(std::make_shared<inner>()) {}
    condition_variable_any(const condition_variable_any&) = delete;
    condition_variable_any& operator=(const condition_variable_any&) = delete;

    void notify_one() noexcept {
        const std::lock_guard<mutex> hold(inner_->guard);
        inner_->condition.notify_one();
    }

    void notify_all() noexcept {
        const std::lock_guard<mutex> hold(inner_->guard);
        inner_->condition.notify_all();
    }

    template <typename Lock>
    void wait(Lock& lock) {
        wait_until(lock, detail::steady_time::max());
    }

    template <typename Lock, typename Predicate>
    void wait(Lock& lock, Predicate predicate) {
        while (!predicate()) {
            wait(lock);
        }
    }

    template <typename Lock, typename Rep, typename Period>
    cv_status wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& duration) {
        return wait_until(lock, detail::deadline_after(duration));
    }

    template <typename Lock, typename Rep, typename Period, typename Predicate>
    bool wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& duration,
                  Predicate predicate) {
        return wait_until(lock, detail::deadline_after(duration), std::move(predicate));
    }

    template <typename Lock, typename Clock, typename Duration>
    cv_status wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& deadline) {
        const detail::steady_time at = detail::deadline_at(deadline);
        const std::shared_ptr<inner> in = inner_; // may outlive this object, see notify_all()
        std::unique_lock<mutex> hold(in->guard);
        const unlocked<Lock> release(lock);
        // Let go before the user's lock is taken again, for whoever notifies may hold that.
        std::unique_lock<mutex> waiting(std::move(hold));
        return in->condition.wait_until(waiting, at);
    }

    template <typename Lock, typename Clock, typename Duration, typename Predicate>
    bool wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& deadline,
                    Predicate predicate) {
        const detail::steady_time at = detail::deadline_at(deadline);
        while (!predicate()) {
            if (wait_until(lock, at) == cv_status::timeout) {
                return predicate();
            }
        }
        return true;
    }

private:
    struct inner {
        mutex guard; // so that nobody notifies between the unlocking and the wait
        condition_variable condition;
    };

    template <typename Lock>
    class unlocked {
    public:
        explicit unlocked(Lock& lock)
            : lock_(lock) {
            lock_.unlock();
        }
        ~unlocked() { lock_.lock(); }
        unlocked(const unlocked&) = delete;
        unlocked& operator=(const unlocked&) = delete;

    private:
        Lock& lock_;
    };

    std::shared_ptr<inner> inner_;
};

} // namespace v1
} // namespace tendril
