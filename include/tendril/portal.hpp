// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/cancel.hpp>
#include <tendril/detail/calls_in_progress.hpp>
#include <tendril/export.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <new>
#include <type_traits>
#include <utility>

namespace tendril {
inline namespace v1 {

/// Through which other threads call functions on a hub and wait for them: for a library's callback
/// threads, a GUI, a thread that was there before. The hub's thread must come to run its fibers,
/// so it must wait in Tendril now and then, as in `close()`, `drain()` or any join.
///
///     tendril::portal portal;                        // on the hub
///     std::thread([&] {
///         const int n = portal.call([&] { return cache.size(); });
///     });
class TENDRIL_EXPORT portal {
public:
    /// To the calling thread's hub.
    portal()
        : portal(hub::current()) {}
    explicit portal(const hub& to) noexcept
        : to_(to) {}

    /// As close(), but not to be given up.
    ~portal();
    portal(const portal&) = delete;
    portal& operator=(const portal&) = delete;

    const hub& target() const noexcept { return to_; }

    /// Calls `function(args...)` in a fiber of the hub, waits until it has ended, and returns what
    /// it returned or throws what it threw. Function and arguments are moved or copied first, as
    /// std::thread does; since the caller waits, they may refer to what is on its stack.
    ///
    /// Any thread. A thread without a hub gets one and waits as its main fiber; on a hub the
    /// calling fiber parks and others go on. From the portal's own hub it works too. When the
    /// caller is cancelled or its time is over, so is the fiber; the wait ends with the fiber's
    /// end.
    ///
    /// @throws std::system_error ESRCH: the hub has ended, or the portal is closed; nothing was
    /// called. ECANCELED: the hub ended before the call did. EMFILE and the like: the calling
    /// thread's hub could not be made; nothing was called.
    /// @throws cancelled, timed_out (<tendril/cancel.hpp>); std::bad_alloc.
    template <typename Function, typename... Args>
    auto call(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::result_of<Function, Args...>> {
        static_cast<void>(hub::current()); // first what may fail
        this_fiber::throw_if_cancelled();
        const detail::calls_in_progress::one call_counts(calls_);
        auto callee =
            spawn(to_, {"portal"}, std::forward<Function>(function), std::forward<Args>(args)...);
        try {
            callee.join();
        } catch (...) { // cancelled: the function may still refer to what the caller owns
            end_with_its_caller(callee);
            throw;
        }
        return callee.get();
    }

    /// Refuses new calls and waits for those in progress. Any thread; on the portal's hub from a
    /// fiber that is not called through it. To be called twice is no error.
    /// @throws cancelled, timed_out: it is closed, but calls go on.
    void close() { calls_.close(); }

private:
    template <typename T>
    static void end_with_its_caller(fiber<T>& callee) {
        try {
            callee.cancel("its caller is cancelled");
        } catch (const std::bad_alloc&) { // then it ends by itself
        }
        const shield until_then;
        callee.join();
    }

    hub to_;
    detail::calls_in_progress calls_;
};

} // namespace v1
} // namespace tendril
