// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>
#include <tendril/fiber.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace tendril {

namespace detail {
class hub_core;
}

inline namespace v1 {

/// Counters of one hub, since it was made by or for its present thread.
struct hub_statistics {
    std::uint64_t spawned = 0;      ///< fibers
    std::uint64_t finished = 0;     ///< fibers that ended
    std::uint64_t switches = 0;     ///< from one fiber to the next
    std::uint64_t polls = 0;        ///< of the kernel, for events
    std::uint64_t sleeps = 0;       ///< polls that found nothing to run and could wait
    std::uint64_t remote_wakes = 0; ///< wake-ups that came from other threads
    std::size_t live = 0;           ///< fibers that have not ended, the main fiber excluded
    std::size_t stacks_in_use = 0;
    std::size_t stacks_pooled = 0;
    std::size_t stacks_unguarded = 0; ///< made after the kernel refused more guard pages

    /// Waits by what for.
    struct {
        std::uint64_t sleep, join, read, write, accept, connect, poll, dns, sync, other;
    } waits = {};
};

/// A reference to the scheduler of one thread. Cheap to copy; stays valid, and says so, when the
/// thread and with it the hub has ended.
///
/// A thread's hub is made on its first use. Fibers never move to another hub. When `main` returns
/// or `exit` is called, fibers are abandoned and nothing unwinds; call drain() to wait for them.
/// When another thread ends, its hub runs on for up to one second (TENDRIL_EXIT_GRACE_MS): for half
/// of that time its fibers may end by themselves, then they are cancelled and may unwind. What is
/// left in the end is abandoned, and that is said on stderr.
class TENDRIL_EXPORT hub {
public:
    /// The calling thread's hub.
    /// @throws std::system_error EMFILE, ENFILE, ENOMEM: it could not be made.
    static hub current();

    /// Waits until every other fiber of the calling thread's hub has ended, those spawned meanwhile
    /// included.
    /// @throws std::system_error EPERM: called on a hub of another thread.
    void drain();

    /// Has `function(args...)` called on the hub's thread, soon, and does not wait for it. Any
    /// thread, also one without a hub; in a fiber of its own, so it may wait. What one thread posts
    /// begins in that order. An exception that it throws is printed to stderr. Should the hub's
    /// thread end before, it is not called. To hear of its end use spawn() on this hub, or a
    /// portal.
    /// @throws std::system_error ESRCH: the hub has ended; std::bad_alloc.
    template <typename Function, typename... Args>
    auto post(Function&& function, Args&&... args) const
        -> std::enable_if_t<detail::is_function<Function, Args...>> {
        static_cast<void>(spawn(*this, spawn_options(), std::forward<Function>(function),
                                std::forward<Args>(args)...));
    }

    /// @throws std::system_error EPERM: called on a hub of another thread.
    hub_statistics statistics() const;

    /// True if the hub's thread has ended. Any thread.
    bool ended() const noexcept;

    friend bool operator==(const hub& a, const hub& b) noexcept {
        return a.core_ == b.core_ && a.generation_ == b.generation_;
    }
    friend bool operator!=(const hub& a, const hub& b) noexcept { return !(a == b); }

private:
    friend struct hub_access;
    hub(detail::hub_core& core, std::uint64_t generation) noexcept
        : core_(&core)
        , generation_(generation) {}

    detail::hub_core* core_;
    std::uint64_t generation_;
};

} // namespace v1
} // namespace tendril
