// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/cancelled.hpp>
#include <tendril/detail/scope.hpp>
#include <tendril/export.hpp>

#include <chrono>

namespace tendril {
inline namespace v1 {

/// Cancellation. `fiber.cancel("reason")` makes every wait of that fiber throw `cancelled`, the
/// present one and each later one, until the fiber ends; so its stack unwinds and nothing it owns
/// is left behind. These are no cancellation points:
/// - waits that need not wait, such as a read of what is there already;
/// - mutex::lock and its kin, and locking again at the end of condition_variable::wait;
/// - any wait while the stack unwinds, so in destructors that run because of an exception (but for
///   a timeout that begins and is caught in the destructor: that ends waits);
/// - waits within a `shield`.
///
/// A function marked noexcept, as destructors are, in which a wait throws ends the program, as
/// always in C++; shield what must wait there.
///
/// Legacy C code below the shims sees an error instead: -1 with ECANCELED, of sleep(3) what was
/// left, of getaddrinfo(3) EAI_SYSTEM; the next wait in C++ throws. An `iostream` swallows what is
/// thrown in its operators, unless told otherwise by `exceptions()`; likewise, the next wait throws
/// again.

/// While it lives, cancellation and timeouts from outside of it do not reach the fiber's waits; for
/// clean-up that has to wait. To be used as a local variable, on the fiber that made it.
///
///     catch (...) {
///         const tendril::shield finish(std::chrono::seconds(1));
///         connection.write_all("QUIT\r\n");
///         throw;
///     }
class TENDRIL_EXPORT shield : detail::scope {
public:
    /// @throws std::system_error the thread's hub could not be made.
    shield();

    /// Protects for a limited time only; then what is pending outside gets through.
    template <typename Rep, typename Period>
    explicit shield(const std::chrono::duration<Rep, Period>& at_most)
        : shield(detail::deadline_after(at_most)) {}
    explicit shield(std::chrono::steady_clock::time_point until);
};

namespace this_fiber {

/// Throws what a wait would throw now: `cancelled`, or `timed_out`. For loops that compute and
/// never wait; now and then it looks whether something has come. Nothing if the fiber is not
/// cancelled. Does not switch.
TENDRIL_EXPORT void throw_if_cancelled();

/// Whether a wait would throw.
TENDRIL_EXPORT bool is_cancelled() noexcept;

} // namespace this_fiber

} // namespace v1
} // namespace tendril
