// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/cancelled.hpp>
#include <tendril/detail/scope.hpp>
#include <tendril/export.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace tendril {
inline namespace v1 {

/// A limit on all that the fiber does while this lives. When its time is over, each wait in it
/// throws `timed_out` of it, the present one and later ones, also waits below legacy C code through
/// the shims, whose calls fail with ECANCELED first. The same are no points where it can happen as
/// for cancellation, see <tendril/cancel.hpp>.
///
/// Timeouts nest. If several are over, the outermost one is thrown. To be used as a local variable,
/// on the fiber that made it; never waits itself.
///
///     try {
///         const tendril::timeout limit(std::chrono::seconds(2));
///         fetch();
///     } catch (const tendril::timed_out&) {
///         give_up();
///     }
///
/// with_timeout and move_on_after are shorter where the whole is one function.
class TENDRIL_EXPORT timeout : detail::scope {
public:
    /// @throws std::system_error the thread's hub could not be made.
    template <typename Rep, typename Period>
    explicit timeout(const std::chrono::duration<Rep, Period>& after)
        : timeout(detail::deadline_after(after)) {}
    explicit timeout(std::chrono::steady_clock::time_point at)
        : scope(kind::limits, at) {}

    bool expired() const noexcept { return is_over(); }

    /// A new deadline; one that has expired stays so.
    template <typename Rep, typename Period>
    void reset(const std::chrono::duration<Rep, Period>& after) {
        move_deadline(detail::deadline_after(after));
    }
    void reset(std::chrono::steady_clock::time_point at) { move_deadline(at); }

private:
    template <typename Function>
    friend auto move_on_at(std::chrono::steady_clock::time_point at, Function&& function);

    bool cut_short() const noexcept { return ended_a_wait(); }
};

/// Calls the function, until a point in time at most: see move_on_after.
template <typename Function>
auto move_on_at(std::chrono::steady_clock::time_point at, Function&& function) {
    using result = std::invoke_result_t<Function>;
    const timeout limit(at);
    try {
        if constexpr (std::is_void_v<result>) {
            std::invoke(std::forward<Function>(function));
            return !limit.cut_short();
        } else {
            std::optional<std::decay_t<result>> value(
                std::invoke(std::forward<Function>(function)));
            if (limit.cut_short()) {
                value.reset();
            }
            return value;
        }
    } catch (const timed_out& t) {
        if (!t.is(limit) || !limit.expired()) { // one handed on by another fiber may look alike
            throw;
        }
    }
    if constexpr (std::is_void_v<result>) {
        return false;
    } else {
        return std::optional<std::decay_t<result>>();
    }
}

/// Calls the function and gives up its waits when the time is over. A wait that was cut short below
/// C code, which the function could not tell from a failure, counts too.
/// @returns a std::optional of what it returned, empty if it was cut short; of a function that
/// returns nothing: whether it was not.
/// @throws what the function throws, and `timed_out` of a timeout around.
template <typename Rep, typename Period, typename Function>
auto move_on_after(const std::chrono::duration<Rep, Period>& after, Function&& function) {
    return move_on_at(detail::deadline_after(after), std::forward<Function>(function));
}

/// Like move_on_after, but lateness is an error.
/// @returns what the function returned.
/// @throws std::system_error ETIMEDOUT the time is over.
template <typename Rep, typename Period, typename Function>
auto with_timeout(const std::chrono::duration<Rep, Period>& after, Function&& function) {
    auto done = move_on_after(after, std::forward<Function>(function));
    if (!done) {
        detail::throw_timed_out();
    }
    if constexpr (!std::is_same_v<decltype(done), bool>) {
        return *std::move(done);
    }
}

} // namespace v1
} // namespace tendril
