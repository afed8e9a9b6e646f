// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "hub/wait_list.hpp"

#include <tendril/detail/pool_job.hpp>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace tendril::detail {

/// Threads that do jobs, first come, first served. They are made as jobs come, and end when they
/// were idle for some seconds. In the child of a fork there are none, and no jobs: what was wanted
/// before is the parent's.
class worker_pool {
public:
    /// `bounded`: jobs that end share the threads; else each job has a thread at once or is
    /// refused.
    enum class kind : unsigned char { bounded, unbounded };

    /// @param name of the threads, cut to what the kernel keeps (15 bytes).
    worker_pool(kind what, std::size_t most_threads, const char* name) noexcept;
    ~worker_pool(); ///< after close()
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;

    /// For jobs that end: they share a few threads.
    static worker_pool& brisk();
    /// For jobs that may block for ever: each has a thread.
    static worker_pool& patient();

    /// Of all pools: threads that have nothing to do, nor anything waiting for them, nor a hub,
    /// whose fibers may have.
    static std::size_t idle_threads() noexcept;
    /// Grows with each job that is posted and each that is done.
    static std::uint64_t activity() noexcept;

    /// 0, or an errno, and the job was not taken: that of a thread that would have been the first
    /// to come to it, or ESRCH after close().
    int post(const std::shared_ptr<pool_job>& job) noexcept;

    /// Takes back a job that no worker has begun. False: one has.
    bool withdraw(pool_job& job) noexcept;

    /// Waits until there is neither a job in the queue nor one with a worker. False: given up.
    bool drain() noexcept;

    /// Refuses what is in the queue and what comes, then waits until all threads are gone, past the
    /// destructors of their thread_local objects. Not to be called by one of them.
    void close() noexcept;

    bool is_own_thread() const noexcept; ///< the calling one
    std::size_t most_threads() const noexcept { return most_threads_; }

private:
    friend struct worker_pools;

    int start_thread() noexcept;
    static void* run_thread(void* pool) noexcept;
    void serve() noexcept;
    void thread_is_gone() noexcept;
    void unlink(pool_job& job) noexcept;
    std::shared_ptr<pool_job> take_first() noexcept;
    bool wait(std::unique_lock<std::mutex>& lock, bool cancellable) noexcept;
    void tell_waiters() noexcept;
    void forked() noexcept;

    const kind kind_;
    const std::size_t most_threads_;
    std::array<char, 16> name_{};
    std::mutex mutex_;
    std::condition_variable wanted_;  ///< a job, or the end
    std::condition_variable changed_; ///< for threads without a hub: nothing to do, or nobody there
    waiter* waiters_ = nullptr;       ///< for fibers likewise
    pool_job* first_ = nullptr;
    pool_job* last_ = nullptr;
    pool_job* lost_ = nullptr;  ///< in a child: the parent's; only leak checkers look here
    std::size_t queued_ = 0;    ///< jobs in the list
    std::size_t working_ = 0;   ///< jobs with a worker
    std::size_t workers_ = 0;   ///< threads that may take a job
    std::size_t idle_ = 0;      ///< of them, those that wait for one
    std::size_t idle_hubs_ = 0; ///< of those, the ones that have a hub
    std::size_t threads_ = 0;   ///< that are not gone yet
    bool closed_ = false;
    worker_pool* next_pool_ = nullptr;
};

} // namespace tendril::detail
