// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/cancelled.hpp>
#include <tendril/detail/group_core.hpp>
#include <tendril/export.hpp>
#include <tendril/fiber.hpp>
#include <tendril/future.hpp>
#include <tendril/wait.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tendril {
inline namespace v1 {

/// Thrown when more than one task of a group has failed; one error alone is thrown as it is, so
/// that `catch (const std::system_error&)` is all that most programs need. (The first error ends
/// the other tasks, so a second one comes from their unwinding, or of the same moment.)
class TENDRIL_EXPORT task_errors : public std::runtime_error {
public:
    explicit task_errors(std::vector<std::exception_ptr> errors);
    task_errors(const task_errors&) = default;
    task_errors& operator=(const task_errors&) = default;
    ~task_errors() override;

    /// All of them, in the order in which they came; at least two.
    const std::vector<std::exception_ptr>& errors() const noexcept { return *errors_; }

private:
    std::shared_ptr<const std::vector<std::exception_ptr>> errors_;
};

} // namespace v1

namespace detail {

template <typename T>
struct start_state {
    promise<T> value;
    std::atomic<bool> counts{false}; ///< its failure is the group's, no longer start()'s
    bool has_value = false;          ///< the task's
};

} // namespace detail

inline namespace v1 {

/// What a task that task_group::start() spawns is given, to say that it is ready.
template <typename T = void>
class started {
public:
    /// Lets start() return, with this value if T is not void. Once.
    /// @throws std::future_error promise_already_satisfied: the second time.
    template <typename... Value>
    void operator()(Value&&... value) const {
        // First, because start() may return as soon as there is a value.
        state_->counts.store(true, std::memory_order_release);
        try {
            state_->value.set_value(std::forward<Value>(value)...);
        } catch (...) {
            if (!state_->has_value) {
                state_->counts.store(false, std::memory_order_release);
            }
            throw;
        }
        state_->has_value = true;
    }

private:
    friend class task_group;
    explicit started(std::shared_ptr<detail::start_state<T>> state) noexcept
        : state_(std::move(state)) {}

    std::shared_ptr<detail::start_state<T>> state_;
};

/// Fibers that belong together, its tasks: none outlives it, and if one fails, the others are
/// cancelled. Trio calls this a nursery.
///
///     tendril::task_group group;
///     group.spawn(copy, from, to);
///     group.spawn(copy, to, from);
///     group.wait();
///
/// wait() waits for all tasks and throws what they failed with. Where the scope ends without it,
/// by an exception above all, the destructor cancels the tasks and waits until they have ended,
/// whatever happens to the calling fiber meanwhile; errors that nobody has been told of by then go
/// to stderr. Waiting is the destructor's business, so a task may use what was made before the
/// group.
///
/// When a task fails, who made the group learns it in wait(). with_task_group() is stricter.
///
/// Any thread and any task may spawn, cancel and ask for the size; the group has to be there, which
/// it is for its tasks.
class task_group {
public:
    task_group() noexcept
        : core_(true) {}
    ~task_group() = default;
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;

    /// Starts a task, as tendril::spawn does. What it fails with is the group's error, whether or
    /// not the handle is kept; the handle is for its value, and to cancel one task alone, which is
    /// no error. In a group that is cancelled, or has failed, it ends before it begins.
    /// @throws std::bad_alloc; std::system_error EMFILE and the like: the thread's hub could not be
    /// made.
    template <typename Function, typename... Args>
    [[gnu::always_inline]] auto spawn(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::fiber_of<Function, Args...>> {
        return spawn(spawn_options(), std::forward<Function>(function),
                     std::forward<Args>(args)...);
    }

    /// Likewise, with a name or a stack size.
    template <typename Function, typename... Args>
    [[gnu::always_inline]] detail::fiber_of<Function, Args...>
    spawn(const spawn_options& options, Function&& function, Args&&... args) {
        return detail::spawner::spawn_in({core_}, options, nullptr,
                                         std::forward<Function>(function),
                                         std::forward<Args>(args)...);
    }

    /// Likewise, on a chosen hub.
    /// @throws std::system_error ESRCH: that hub has ended with its thread.
    template <typename Function, typename... Args>
    [[gnu::always_inline]] detail::fiber_of<Function, Args...>
    spawn(const hub& on, const spawn_options& options, Function&& function, Args&&... args) {
        return detail::spawner::spawn_in({core_}, options, &on, std::forward<Function>(function),
                                         std::forward<Args>(args)...);
    }

    /// Starts a task and waits until it says that it is ready: `function(started<T>, args...)` has
    /// to call its first argument, with a value of T if that is not void. Then the task goes on in
    /// the group.
    ///
    ///     auto port = group.start<std::uint16_t>([](tendril::started<std::uint16_t> ready) {
    ///         auto listener = tendril::net::tcp_listener::bind("127.0.0.1:0");
    ///         ready(listener.local().port());
    ///         serve(listener);
    ///     });
    ///
    /// @returns the value.
    /// @throws what the task fails with before it is ready, which is no error of the group then;
    /// std::system_error ECANCELED: it was cancelled; std::logic_error: it ended without a word;
    /// cancelled, timed_out: the caller gave up, and the task is cancelled.
    template <typename T = void, typename Function, typename... Args>
    [[gnu::always_inline]] auto start(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, started<T>, Args...>, T> {
        return start<T>(spawn_options(), std::forward<Function>(function),
                        std::forward<Args>(args)...);
    }

    /// Likewise, with a name or a stack size.
    template <typename T = void, typename Function, typename... Args>
    [[gnu::always_inline]] T start(const spawn_options& options, Function&& function,
                                   Args&&... args) {
        auto state = std::make_shared<detail::start_state<T>>();
        future<T> value = state->value.get_future();
        auto task = detail::spawner::spawn_in(
            {core_, std::shared_ptr<const std::atomic<bool>>(state, &state->counts)}, options,
            nullptr, std::forward<Function>(function), started<T>(state),
            std::forward<Args>(args)...);
        try {
            wait_any(value, task);
        } catch (...) {
            state->counts.store(true, std::memory_order_release);
            task.cancel("nobody waits for its start any more");
            throw;
        }
        if (!value.ready()) {
            static_cast<void>(task.get());
            detail::throw_never_started();
        }
        return value.get();
    }

    /// Waits until no task is left, those spawned meanwhile included, and throws what they failed
    /// with: one error as it is, more as `task_errors`. Each error once. The group can be used
    /// again, unless it was cancelled or has failed. If the caller gives up, the tasks are
    /// cancelled and waited for first.
    /// @throws cancelled, timed_out (<tendril/cancel.hpp>); std::system_error EDEADLK: in a task of
    /// this group.
    void wait() {
        core_.wait();
        core_.throw_errors();
    }

    /// Cancels all tasks, and those spawned from now on. That is no error. Does not wait; any
    /// thread.
    void cancel(const std::string& reason = {}) noexcept { core_.cancel(reason); }

    /// Whether it was cancelled, or has failed.
    bool cancelled() const noexcept { return core_.cancelled(); }

    std::size_t size() const noexcept { return core_.size(); } ///< tasks that have not ended

private:
    friend class fiber_pool;
    template <typename Body>
    friend auto with_task_group(Body&& body) -> std::invoke_result_t<Body, task_group&>;

    detail::group_core core_;
};

/// Calls `body(group)`, waits for the tasks that it spawned there, and returns what it returned.
///
/// The body is one of them in this: when a task fails or somebody cancels the group, the body's
/// waits end too, by an exception that gets no further than here; and when the body throws, the
/// tasks are cancelled.
///
///     tendril::with_task_group([&](tendril::task_group& group) {
///         for (;;) {
///             group.spawn(serve, listener.accept()); // goes on until one fails
///         }
///     });
///
/// @throws what the body and the tasks have failed with: one error as it is, more as `task_errors`,
/// the body's first; cancelled, timed_out of the calling fiber, errors of tasks then go to stderr;
/// std::system_error ECANCELED: somebody cancelled the group before the body returned its value (of
/// a body that returns nothing, that is no error).
template <typename Body>
auto with_task_group(Body&& body) -> std::invoke_result_t<Body, task_group&> {
    using result = std::invoke_result_t<Body, task_group&>;
    static_assert(!std::is_reference_v<result>, "return a value, or a pointer");
    std::conditional_t<std::is_void_v<result>, bool, std::optional<result>> value{};
    task_group group;
    std::exception_ptr error;
    bool gave_up = false;
    {
        const detail::group_body in(group.core_);
        try {
            if constexpr (std::is_void_v<result>) {
                std::invoke(std::forward<Body>(body), group);
                value = true;
            } else {
                value.emplace(std::invoke(std::forward<Body>(body), group));
            }
        } catch (const detail::interrupted& i) {
            gave_up = !in.is(i.of());
            error = gave_up ? std::current_exception() : nullptr;
        } catch (const cancelled&) {
            gave_up = true;
            error = std::current_exception();
        } catch (const timed_out&) {
            gave_up = true;
            error = std::current_exception();
        } catch (...) {
            error = std::current_exception();
        }
    }
    if (error == nullptr) {
        group.wait();
    } else {
        group.cancel("the body of its task group failed");
        group.core_.wait_unconditionally();
        if (gave_up) {
            std::rethrow_exception(error);
        }
        group.core_.throw_errors(error);
    }
    if constexpr (!std::is_void_v<result>) {
        if (!value) {
            detail::throw_group_cancelled();
        }
        return *std::move(value);
    }
}

} // namespace v1
} // namespace tendril
