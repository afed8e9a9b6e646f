// SPDX-License-Identifier: BSL-1.0
#include "offload/offload.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

namespace tendril::detail {

namespace {

constexpr std::size_t most_threads = 8;
constexpr std::chrono::seconds idle_life{5};

/// Of all pools: idle threads less waiting jobs.
std::atomic<std::ptrdiff_t> unoccupied{0};

} // namespace

/// Threads are made as jobs come and end when idle. Never destroyed: a worker may outlive main.
class worker_pool {
public:
    /// For jobs that end: they share a few threads.
    static worker_pool& brisk() {
        static worker_pool& pool = made<brisk>(false);
        return pool;
    }
    /// For jobs that may block for ever: each has a thread.
    static worker_pool& patient() {
        static worker_pool& pool = made<patient>(true);
        return pool;
    }

    /// False: there is no thread that would come to it, and none can be made.
    bool post(const std::shared_ptr<offload_job>& job, ticket waiter) noexcept {
        const std::lock_guard lock(mutex_);
        const bool may_grow = patient_ || threads_ < most_threads;
        if (idle_ <= waiting_ && may_grow && !start_thread() && (patient_ || threads_ == 0)) {
            return false;
        }
        job->self_ = job;
        job->waiter_ = waiter;
        job->next_ = nullptr;
        (last_ != nullptr ? last_->next_ : first_) = job.get();
        last_ = job.get();
        ++waiting_;
        --unoccupied;
        wanted_.notify_one();
        return true;
    }

private:
    explicit worker_pool(bool patient) noexcept
        : patient_(patient) {}

    template <worker_pool& (*Pool)()>
    static worker_pool& made(bool patient) {
        auto pool = std::unique_ptr<worker_pool>(new worker_pool(patient));
        // In a child there are no workers, and nobody waits for what the parent's fibers wanted.
        if (pthread_atfork([] { Pool().mutex_.lock(); }, [] { Pool().mutex_.unlock(); },
                           [] { Pool().forked(); }) != 0) {
            throw std::bad_alloc();
        }
        return *pool.release();
    }

    void forked() {
        unoccupied -= static_cast<std::ptrdiff_t>(idle_) - static_cast<std::ptrdiff_t>(waiting_);
        threads_ = 0;
        idle_ = 0;
        // The jobs are not destroyed: they belong to threads that do not exist here.
        first_ = last_ = nullptr;
        waiting_ = 0;
        new (&wanted_) std::condition_variable;
        mutex_.unlock();
    }

    bool start_thread() noexcept {
        // Signals belong to the program's own threads.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        bool started = true;
        try {
            std::thread([this] { work(); }).detach();
            ++threads_;
        } catch (const std::exception&) { // system_error, bad_alloc
            started = false;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return started;
    }

    void work() {
        pthread_setname_np(pthread_self(), "tendril-worker");
        std::unique_lock lock(mutex_);
        for (;;) {
            ++idle_;
            ++unoccupied;
            const bool found =
                wanted_.wait_for(lock, idle_life, [this] { return first_ != nullptr; });
            --idle_;
            --unoccupied;
            if (!found) {
                --threads_;
                return;
            }
            std::shared_ptr<offload_job> job = take_first();
            lock.unlock();
            job->run();
            if (job->waiter_.fiber != nullptr) {
                hub_core::wake_up(job->waiter_, wake::ready);
            }
            job.reset();
            lock.lock();
        }
    }

    std::shared_ptr<offload_job> take_first() noexcept {
        offload_job* const job = first_;
        first_ = job->next_;
        last_ = first_ != nullptr ? last_ : nullptr;
        --waiting_;
        ++unoccupied;
        return std::move(job->self_);
    }

    const bool patient_;
    std::mutex mutex_;
    std::condition_variable wanted_;
    offload_job* first_ = nullptr;
    offload_job* last_ = nullptr;
    std::size_t waiting_ = 0; ///< jobs in the list
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
};

wake offload(const std::shared_ptr<offload_job>& job, const wait_reason& why, time_point deadline) {
    hub_core& hub = hub_core::current();
    worker_pool& pool = worker_pool::brisk();
    const ticket t = hub.prepare();
    if (!pool.post(job, t)) {
        hub_core::withdraw(t);
        job->run();
        return wake::ready;
    }
    return hub.park(t, why, deadline);
}

std::size_t idle_workers() noexcept {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(unoccupied.load(), 0));
}

bool offload_patiently(const std::shared_ptr<offload_job>& job) {
    return worker_pool::patient().post(job, {});
}

} // namespace tendril::detail
