// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/task.hpp>
#include <tendril/export.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace tendril {
inline namespace v1 {

class hub;

/// How a fiber is spawned. Every member has a default.
struct spawn_options {
    /// Shown in reports and dumps; need not be unique.
    std::string name{};

    /// Address space for the stack in bytes, its guard included; memory is used only as it is
    /// touched. At least minimum_stack_size(), at most 64 GiB.
    std::size_t stack_size = std::size_t{256} << 10;
};

/// The smallest stack that spawn accepts on this machine, in bytes: the guard, and room for two
/// signal frames (`sysconf(_SC_MINSIGSTKSZ)`, see sysconf(3)).
TENDRIL_EXPORT std::size_t minimum_stack_size() noexcept;

/// A handle to a fiber, and to what its function returns. Dropping it detaches the fiber.
///
/// A fiber runs on the thread of its hub only; its handle may be used on any thread. join(),
/// join_for(), join_until(), ready(), id() and name() may be called on one handle by several fibers
/// and threads at once, everything else by one at a time, while nobody else uses the handle.
///
/// @tparam T what the function returns; may be void, a reference, or move-only.
template <typename T>
class fiber {
public:
    fiber() noexcept = default; ///< refers to no fiber
    fiber(fiber&&) noexcept = default;
    fiber& operator=(fiber&&) noexcept = default;
    ~fiber() = default;

    /// True if this handle refers to a fiber.
    bool joinable() const noexcept { return task_ != nullptr; }
    explicit operator bool() const noexcept { return joinable(); }

    /// Waits until the fiber has ended; returns at once if it has. It does not rethrow what the
    /// fiber threw. Any number of fibers and threads may join one fiber. On a thread without a hub
    /// the thread gets one, and waits as its main fiber.
    /// @throws std::system_error EDEADLK: a fiber joins itself; EINVAL: no fiber.
    void join() { task().join(); }

    /// Waits like join(), for at most `duration` (zero or negative: only looks).
    /// @returns whether the fiber has ended.
    template <typename Rep, typename Period>
    bool join_for(const std::chrono::duration<Rep, Period>& duration) {
        return task().join_until(detail::deadline_after(duration));
    }

    /// Waits like join(), until `deadline`.
    bool join_until(std::chrono::steady_clock::time_point deadline) {
        return task().join_until(deadline);
    }

    /// Waits like join(), then returns what the function returned, or throws what it threw. Once.
    /// @throws std::bad_alloc also when no stack could be had for the fiber, which then never ran.
    /// @throws std::system_error ECANCELED the fiber was cancelled, or its thread ended before it.
    /// @throws std::logic_error the second time.
    T get() {
        task().join();
        return task().take();
    }

    /// Ends the fiber: each of its waits throws `cancelled` from now on, see <tendril/cancel.hpp>.
    /// One that has not begun never calls its function; its arguments are destroyed on its thread.
    /// get() then throws std::system_error with ECANCELED and the reason. Does not wait for the
    /// end; any thread may call it, also twice (the first reason stays) and when the fiber has
    /// ended (nothing happens). A fiber may cancel itself.
    /// @throws std::bad_alloc; std::system_error EINVAL: no fiber.
    void cancel(std::string reason = {}) { task().cancel(std::move(reason)); }

    /// Lets the fiber run on by itself. The handle refers to no fiber afterwards. An exception that
    /// nobody collects by get() is printed to stderr when the last handle is gone.
    void detach() noexcept { task_.reset(); }

    /// True if the fiber has ended: join() and get() would not wait.
    bool ready() const { return task().done(); }

    /// Process-wide unique, never 0, never reused.
    std::uint64_t id() const { return task().id(); }

    /// The name it was spawned with; may be empty.
    std::string name() const { return task().name(); }

private:
    template <typename Function, typename... Args>
    friend auto spawn(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::fiber_of<Function, Args...>>;
    friend struct detail::spawner;
    friend struct detail::wait_access;

    explicit fiber(detail::result_task<T>* t) noexcept
        : task_(t) {}

    detail::result_task<T>& task() const {
        if (task_ == nullptr) {
            detail::throw_no_fiber();
        }
        return *task_;
    }

    std::unique_ptr<detail::result_task<T>, detail::task_release> task_;
};

/// Starts a fiber that calls `function(args...)` on the calling thread's hub, and returns its
/// handle. Function and arguments are moved or copied first, as std::thread does (pass std::ref to
/// refer). The fiber first runs when the caller next waits or yields; the caller goes on at once.
///
/// @throws std::bad_alloc no memory for the fiber.
/// @throws std::system_error EMFILE and the like: the thread's hub could not be made.
template <typename Function, typename... Args>
[[gnu::always_inline]] inline auto spawn(Function&& function, Args&&... args)
    -> std::enable_if_t<detail::is_function<Function, Args...>,
                        detail::fiber_of<Function, Args...>> {
    return detail::spawner::spawn_here(std::forward<Function>(function),
                                       std::forward<Args>(args)...);
}

/// Likewise, with a name or a stack size: `spawn({"crawl"}, f)`, `spawn({"deep", 1 << 20}, f)`.
/// @throws std::invalid_argument a stack size outside of minimum_stack_size() … 64 GiB.
template <typename Function, typename... Args>
[[gnu::always_inline]] inline detail::fiber_of<Function, Args...>
spawn(const spawn_options& options, Function&& function, Args&&... args) {
    return detail::spawner::spawn(options, nullptr, std::forward<Function>(function),
                                  std::forward<Args>(args)...);
}

/// Likewise, on a chosen hub, also from another thread.
/// @throws std::system_error ESRCH: that hub has ended with its thread.
template <typename Function, typename... Args>
[[gnu::always_inline]] inline detail::fiber_of<Function, Args...>
spawn(const hub& on, const spawn_options& options, Function&& function, Args&&... args) {
    return detail::spawner::spawn(options, &on, std::forward<Function>(function),
                                  std::forward<Args>(args)...);
}

/// The calling fiber. On a thread that has no hub yet, each of these makes one; the thread's own
/// stack is then its main fiber.
namespace this_fiber {

/// Lets every other runnable fiber of this hub go first, then goes on. Of a cancelled fiber it
/// throws at once; one that is cancelled meanwhile throws in its next wait or yield.
TENDRIL_EXPORT void yield();

/// Parks the calling fiber until `deadline`; others run meanwhile. A deadline in the past yields.
TENDRIL_EXPORT void sleep_until(std::chrono::steady_clock::time_point deadline);

/// Parks the calling fiber for at least `duration`. Zero or less yields. Not ended by signals.
template <typename Rep, typename Period>
void sleep_for(const std::chrono::duration<Rep, Period>& duration) {
    if (duration <= duration.zero()) {
        yield();
    } else {
        sleep_until(detail::deadline_after(duration));
    }
}

/// The calling fiber's id; a main fiber has one too.
TENDRIL_EXPORT std::uint64_t id();

/// The name that the calling fiber was spawned with; "main" for a main fiber.
TENDRIL_EXPORT std::string name();

} // namespace this_fiber

} // namespace v1
} // namespace tendril
