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

/// std::counting_semaphore for fibers, of one hub and of several, and plain threads, which get a
/// hub when they must wait. Whoever waits parks, and its thread runs other fibers. First come,
/// first served. To take what is there and to put back what nobody waits for needs neither a system
/// call nor a hub.
///
/// Destroying it while fibers wait says so on stderr and terminates.
///
/// @tparam Max the most permits that it can have.
template <std::ptrdiff_t Max = static_cast<std::ptrdiff_t>(detail::semaphore_core::most)>
class counting_semaphore {
    static_assert(Max >= 0 && static_cast<std::uint64_t>(Max) <= detail::semaphore_core::most);

public:
    /// @throws std::system_error EINVAL: less than 0 permits; EOVERFLOW: more than max().
    constexpr explicit counting_semaphore(std::ptrdiff_t permits)
        : core_(checked(permits)) {}
    counting_semaphore(const counting_semaphore&) = delete;
    counting_semaphore& operator=(const counting_semaphore&) = delete;

    static constexpr std::ptrdiff_t max() noexcept { return Max; }

    /// Waits for a permit and takes it.
    /// @throws cancelled, timed_out (<tendril/cancel.hpp>); it has no permit.
    void acquire() { core_.acquire_until(detail::steady_time::max()); }

    /// Takes a permit if there is one; never waits. Of many failures in a row now and then one lets
    /// other fibers run first.
    bool try_acquire() noexcept { return core_.try_acquire(); }

    /// Waits like acquire(), for at most `duration` (zero or negative: only tries).
    /// @returns whether the caller has a permit.
    template <typename Rep, typename Period>
    bool try_acquire_for(const std::chrono::duration<Rep, Period>& duration) {
        return acquired(detail::deadline_after(duration));
    }

    /// Waits like acquire(), until `deadline`.
    template <typename Clock, typename Duration>
    bool try_acquire_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return acquired(detail::deadline_at(deadline));
    }

    /// Puts permits back, or hands them to those who wait longest. Anybody may: a permit has no
    /// owner. Never waits.
    /// @throws std::system_error EOVERFLOW: there would be more than max(); EINVAL: less than 0.
    void release(std::ptrdiff_t permits = 1) {
        core_.release(checked(permits), static_cast<std::uint64_t>(Max));
    }

private:
    static constexpr std::uint64_t checked(std::ptrdiff_t permits) {
        if (permits < 0 || permits > Max) {
            throw std::system_error(permits < 0 ? EINVAL : EOVERFLOW, std::system_category(),
                                    "permits of a semaphore");
        }
        return static_cast<std::uint64_t>(permits);
    }

    bool acquired(detail::steady_time deadline) {
        return core_.acquire_until(deadline) == detail::outcome::done;
    }

    detail::semaphore_core core_;
};

/// One that is taken or free.
using binary_semaphore = counting_semaphore<1>;

} // namespace v1
} // namespace tendril
