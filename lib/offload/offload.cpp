// SPDX-License-Identifier: BSL-1.0
#include "offload/offload.hpp"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <thread>

namespace tendril::detail {

namespace {

struct entry {
    std::shared_ptr<offload_job> job;
    ticket waiter;
};

constexpr std::size_t most_threads = 8;
constexpr std::chrono::seconds idle_life{5};

/// Threads are made as jobs come and end when idle. Never destroyed: a worker may outlive main.
class worker_pool {
public:
    static worker_pool& instance() {
        static worker_pool& pool = *new worker_pool;
        return pool;
    }

    /// False: there is no thread, and none can be made.
    bool post(entry e) {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(e));
        if (idle_ < queue_.size() && threads_ < most_threads && !start_thread() && threads_ == 0) {
            queue_.pop_back();
            return false;
        }
        wanted_.notify_one();
        return true;
    }

private:
    worker_pool() {
        // In a child there are no workers, and nobody waits for what the parent's fibers wanted.
        pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                       [] { instance().forked(); });
    }

    void forked() {
        threads_ = 0;
        idle_ = 0;
        // The jobs are not destroyed: they belong to threads that do not exist here.
        new (&queue_) std::deque<entry>;
        new (&wanted_) std::condition_variable;
        mutex_.unlock();
    }

    bool start_thread() {
        // Signals belong to the program's own threads.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        bool started = true;
        try {
            std::thread([this] { work(); }).detach();
            ++threads_;
        } catch (const std::system_error&) {
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
            const bool found =
                wanted_.wait_for(lock, idle_life, [this] { return !queue_.empty(); });
            --idle_;
            if (!found) {
                --threads_;
                return;
            }
            entry e = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            e.job->run();
            hub_core::wake_up(e.waiter, wake::ready);
            e.job.reset();
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wanted_;
    std::deque<entry> queue_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
};

} // namespace

wake offload(const std::shared_ptr<offload_job>& job, const wait_reason& why, time_point deadline) {
    hub_core& hub = hub_core::current();
    worker_pool& pool = worker_pool::instance();
    const ticket t = hub.prepare();
    if (!pool.post({job, t})) {
        hub_core::withdraw(t);
        job->run();
        return wake::ready;
    }
    return hub.park(t, why, deadline);
}

} // namespace tendril::detail
