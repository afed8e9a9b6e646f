// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace tendril {

namespace detail {
class hub_group_core;
struct hub_group_end {
    TENDRIL_EXPORT void operator()(hub_group_core* group) const noexcept;
};
} // namespace detail

inline namespace v1 {

/// Several hubs, each on a thread of its own, for more than one CPU. A fiber stays on the hub that
/// it was spawned on; fibers of different hubs run at the same time, so what they share needs a
/// mutex, and what they tell each other goes through channels and the like, which all work across
/// hubs.
///
///     tendril::hub_group group;                      // one per CPU
///     auto sum = group.spawn([] { return crunch(); });
///
/// Any thread may spawn. In the child of a fork the group is empty: spawning is refused with ESRCH.
class TENDRIL_EXPORT hub_group {
public:
    /// Starts the threads, and returns when each has its hub; blocks for that long, as
    /// std::thread's constructor does. Signals are blocked there as on the calling thread.
    /// @param hubs how many; 0: one for each CPU that this process may use.
    /// @throws std::system_error EAGAIN: a thread could not be made; EMFILE and the like: a hub. No
    /// thread is left then. std::bad_alloc.
    explicit hub_group(std::size_t hubs = 0);

    /// Stops with no time to end: what runs is cancelled. On a thread of the group it would wait
    /// for itself: that is said on stderr and terminates.
    ~hub_group() = default;
    hub_group(const hub_group&) = delete;
    hub_group& operator=(const hub_group&) = delete;

    std::size_t size() const noexcept;

    /// The hub of that number, for spawn(), post() and portals.
    /// @throws std::out_of_range
    const hub& operator[](std::size_t number) const;

    /// One that has few fibers, counting those that wait: the fewest, of up to 8 hubs; of more, the
    /// better of two. Any thread; costs some reads, and nothing on the hubs.
    const hub& least_loaded() const noexcept;

    /// Starts a fiber on the least loaded hub.
    /// @throws std::system_error ESRCH: the group stops, or has; std::bad_alloc.
    template <typename Function, typename... Args>
    auto spawn(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::fiber_of<Function, Args...>> {
        return tendril::spawn(chosen(), spawn_options(), std::forward<Function>(function),
                              std::forward<Args>(args)...);
    }
    template <typename Function, typename... Args>
    detail::fiber_of<Function, Args...> spawn(const spawn_options& options, Function&& function,
                                              Args&&... args) {
        return tendril::spawn(chosen(), options, std::forward<Function>(function),
                              std::forward<Args>(args)...);
    }

    /// Starts a fiber on the hub of that number.
    /// @throws as spawn(); std::out_of_range.
    template <typename Function, typename... Args>
    auto spawn_on(std::size_t number, Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::fiber_of<Function, Args...>> {
        return tendril::spawn(chosen(number), spawn_options(), std::forward<Function>(function),
                              std::forward<Args>(args)...);
    }
    template <typename Function, typename... Args>
    detail::fiber_of<Function, Args...> spawn_on(std::size_t number, const spawn_options& options,
                                                 Function&& function, Args&&... args) {
        return tendril::spawn(chosen(number), options, std::forward<Function>(function),
                              std::forward<Args>(args)...);
    }

    /// Spawns no more, and waits until the fibers have ended; those that the fibers themselves
    /// spawn on their hubs included. What is left after that time is cancelled and may unwind; what
    /// then does not end within the grace of ending threads (TENDRIL_EXIT_GRACE_MS) is abandoned,
    /// and that is said on stderr. Returns when the hubs have ended and the threads are gone. A
    /// caller that is cancelled meanwhile leaves the fibers no more time; the end is waited for in
    /// any case. The second time it only waits for that end.
    /// @param within zero or less: none.
    /// @returns whether all ended by themselves in time.
    /// @throws std::system_error EDEADLK: on a thread of the group. cancelled, timed_out
    /// (<tendril/cancel.hpp>): the group has ended all the same.
    template <typename Rep, typename Period>
    bool stop(const std::chrono::duration<Rep, Period>& within) {
        return stop_until(detail::deadline_after(within));
    }
    bool stop_until(std::chrono::steady_clock::time_point deadline);

private:
    const hub& chosen() const;
    const hub& chosen(std::size_t number) const;

    std::unique_ptr<detail::hub_group_core, detail::hub_group_end> core_;
};

} // namespace v1
} // namespace tendril
