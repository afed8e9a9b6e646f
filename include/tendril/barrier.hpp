// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/semaphore_core.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <type_traits>
#include <utility>

namespace tendril {

namespace detail {
struct no_completion {
    void operator()() const noexcept {}
};
} // namespace detail

inline namespace v1 {

/// std::barrier for fibers of one hub and of several, and plain threads: phase after phase, lets
/// all go on when as many have arrived as are expected. Destroying it while fibers wait says so on
/// stderr and terminates.
///
/// @tparam Completion called, by whoever arrives last, before the others go on; it must not throw.
template <typename Completion = detail::no_completion>
class barrier {
    static_assert(std::is_nothrow_invocable_v<Completion&>, "the completion must be noexcept");

public:
    /// Which phase an arrival belongs to.
    class arrival_token {
    private:
        friend class barrier;
        explicit arrival_token(std::uint64_t phase) noexcept
            : phase_(phase) {}
        std::uint64_t phase_;
    };

    /// @throws std::system_error EINVAL: less than 0 or more than max().
    explicit barrier(std::ptrdiff_t expected, Completion completion = Completion())
        : core_(checked(expected))
        , completion_(std::move(completion)) {}
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;

    static constexpr std::ptrdiff_t max() noexcept {
        return static_cast<std::ptrdiff_t>(detail::semaphore_core::most);
    }

    /// Never waits, but for the completion.
    /// @throws std::system_error EINVAL: none, or more than are still expected.
    [[nodiscard]] arrival_token arrive(std::ptrdiff_t by = 1) {
        return arrival_token(arrive(checked(by), false));
    }

    /// Waits until the phase of the token has ended.
    /// @throws cancelled, timed_out (<tendril/cancel.hpp>). It has arrived all the same.
    void wait(arrival_token&& token) { core_.wait(token.phase_); }

    void arrive_and_wait() { wait(arrive()); }

    /// Arrives, and is expected in no later phase.
    void arrive_and_drop() { arrive(1, true); }

private:
    static constexpr std::uint64_t checked(std::ptrdiff_t count) {
        if (count < 0 || count > max()) {
            throw std::system_error(EINVAL, std::system_category(), "count of a barrier");
        }
        return static_cast<std::uint64_t>(count);
    }

    std::uint64_t arrive(std::uint64_t by, bool drop) {
        bool last = false;
        const std::uint64_t phase = core_.arrive(by, drop, last);
        if (last) {
            completion_();
            core_.complete();
        }
        return phase;
    }

    detail::barrier_core core_;
    Completion completion_;
};

} // namespace v1
} // namespace tendril
