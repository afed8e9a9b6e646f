// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/cancel.hpp>
#include <tendril/detail/pool_call.hpp>
#include <tendril/export.hpp>
#include <tendril/future.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace tendril {
inline namespace v1 {

/// How many calls of one kind may run at once, whichever pools they run in: of a library that is
/// not thread-safe one, of a database as many as it has connections. First come, first served; a
/// fiber that finds it full waits, and may be cancelled meanwhile. A call counts until it has ended
/// on its thread, also when nobody waits for it any more. Any thread may use it, and it may be
/// destroyed while calls are under way.
class limiter {
public:
    /// @throws std::system_error EINVAL: a limit of 0 permits nothing.
    explicit limiter(std::size_t limit)
        : state_(std::make_shared<detail::limiter_state>(limit)) {}

    std::size_t limit() const noexcept { return state_->limit; }
    std::size_t in_use() const noexcept { return state_->in_use(); } ///< of them, at this moment

private:
    friend class thread_pool;
    std::shared_ptr<detail::limiter_state> state_;
};

/// OS threads for what must not run on a hub, because it would hold up all its fibers: long
/// computations, and calls that block and are known to no shim. A fiber that runs something there
/// is parked, and others go on. Usable from any fiber and thread.
///
/// Threads are made as calls come, up to the number given, and end when they were idle for five
/// seconds. Calls begin in the order of their coming. All signals are blocked there. A thread has
/// no hub until a function makes one by waiting for something of Tendril's; fibers that it spawns
/// and does not join go on only while that thread waits or ends.
///
/// In the child of a fork the pool is empty: what was submitted before runs in the parent, and in
/// the child its futures are never ready.
class TENDRIL_EXPORT thread_pool {
public:
    /// @param threads the most there can be; 0: one for each CPU that this process may use.
    /// @param name of the threads, cut to 15 bytes.
    /// @throws std::bad_alloc
    explicit thread_pool(std::size_t threads = 0, const std::string& name = "tendril-pool");

    /// As shutdown(), but not to be given up. Within a call of this pool it would wait for itself:
    /// that is said on stderr and terminates.
    ~thread_pool();
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    /// Calls `function(args...)` on a thread of the pool and waits for it; returns what it returned
    /// or throws what it threw. Function and arguments are moved or copied first, as std::thread
    /// does, and destroyed on that thread.
    ///
    /// Cancelling the fiber, or a timeout, ends the wait at once. A call that has not begun then
    /// never will; one that has goes on to its end, and what it returns or throws is dropped. So do
    /// not hand it references to what the fiber's stack holds.
    ///
    /// @throws cancelled, timed_out (<tendril/cancel.hpp>), before anything was begun if there was
    /// reason to.
    /// @throws std::system_error EAGAIN and the like: there is no thread, and none can be made;
    /// ESRCH: shut down; ECANCELED: shut down before the call began. std::bad_alloc. The function
    /// was not called then.
    ///
    /// Within a call of the same pool it takes a second thread of it: when all are taken by calls
    /// that wait in this way, they wait for each other for ever. `pthread_exit` within a call ends
    /// the process.
    template <typename Function, typename... Args>
    auto run(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::result_of<Function, Args...>> {
        return finish(make(nullptr, std::forward<Function>(function), std::forward<Args>(args)...));
    }

    /// Likewise, first waiting until `limit` permits it.
    template <typename Function, typename... Args>
    detail::result_of<Function, Args...> run(const limiter& limit, Function&& function,
                                             Args&&... args) {
        this_fiber::throw_if_cancelled();
        return finish(
            make(limit.state_, std::forward<Function>(function), std::forward<Args>(args)...));
    }

    /// Starts a call as run() does, and does not wait for it. A future that is dropped leaves the
    /// call alone. Errors as of run(), ECANCELED through the future.
    template <typename Function, typename... Args>
    auto submit(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            future<detail::result_of<Function, Args...>>> {
        return start(make(nullptr, std::forward<Function>(function), std::forward<Args>(args)...));
    }

    /// Likewise, first waiting until `limit` permits it.
    /// @throws cancelled, timed_out: it was not started.
    template <typename Function, typename... Args>
    future<detail::result_of<Function, Args...>> submit(const limiter& limit, Function&& function,
                                                        Args&&... args) {
        this_fiber::throw_if_cancelled();
        return start(
            make(limit.state_, std::forward<Function>(function), std::forward<Args>(args)...));
    }

    /// Waits until all that was submitted has ended, what is submitted meanwhile included.
    /// @throws cancelled, timed_out; std::system_error EDEADLK: within a call of this pool.
    void drain();

    /// Takes no more calls. Those that have not begun never will: whoever waits for one gets
    /// std::system_error ECANCELED, and the functions are destroyed here. Waits until those that
    /// have begun are done and their threads gone, the destructors of thread_local objects
    /// included. To let all run first, drain(). The second time only waits. It cannot be cancelled.
    /// @throws std::system_error EDEADLK: within a call of this pool.
    void shutdown();

    std::size_t threads() const noexcept; ///< the most there can be

private:
    friend TENDRIL_EXPORT thread_pool& detail::offload_pool();

    template <typename Function, typename... Args>
    using call_of = detail::pool_call<detail::result_of<Function, Args...>, std::decay_t<Function>,
                                      std::decay_t<Args>...>;

    template <typename Function, typename... Args>
    static auto make(const std::shared_ptr<detail::limiter_state>& limit, Function&& function,
                     Args&&... args) {
        return std::make_shared<call_of<Function, Args...>>(detail::limiter_permit(limit),
                                                            std::forward<Function>(function),
                                                            std::forward<Args>(args)...);
    }

    template <typename Call>
    auto start(const std::shared_ptr<Call>& call) {
        auto result = call->get_future();
        post(call);
        return result;
    }

    template <typename Call>
    decltype(auto) finish(const std::shared_ptr<Call>& call) {
        this_fiber::throw_if_cancelled();
        auto result = start(call);
        try {
            result.wait();
        } catch (...) {
            withdraw(*call);
            throw;
        }
        return result.get();
    }

    void post(const std::shared_ptr<detail::pool_job>& job);
    void withdraw(detail::pool_job& job) noexcept;

    std::unique_ptr<detail::worker_pool, detail::worker_pool_end> workers_;
};

/// Calls `function(args...)` on another thread and waits for it, as thread_pool::run does. All
/// share one pool of 32 threads, meant for calls that block now and then; bound each kind of them
/// by a `limiter`, and for long computations rather make a thread_pool, which has a thread per CPU.
template <typename Function, typename... Args>
auto offload(Function&& function, Args&&... args)
    -> std::enable_if_t<detail::is_function<Function, Args...>,
                        detail::result_of<Function, Args...>> {
    return detail::offload_pool().run(std::forward<Function>(function),
                                      std::forward<Args>(args)...);
}

/// Likewise, first waiting until `limit` permits it.
template <typename Function, typename... Args>
detail::result_of<Function, Args...> offload(const limiter& limit, Function&& function,
                                             Args&&... args) {
    return detail::offload_pool().run(limit, std::forward<Function>(function),
                                      std::forward<Args>(args)...);
}

} // namespace v1
} // namespace tendril
