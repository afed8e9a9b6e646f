// SPDX-License-Identifier: BSL-1.0
#include "offload/worker_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <pthread.h>
#include <signal.h>
#include <utility>

namespace tendril::detail {

namespace {

constexpr std::chrono::seconds idle_life{5};
constexpr std::size_t brisk_threads = 8;
constexpr std::size_t any_number = ~std::size_t{0};

constinit std::atomic<std::uint64_t> events{0};

thread_local constinit worker_pool* own_pool [[gnu::tls_model("initial-exec")]] = nullptr;

} // namespace

pool_job::~pool_job() = default;

/// All pools, for fork: their mutexes are held over it, so their lists are whole in the child.
struct worker_pools {
    std::mutex mutex;
    worker_pool* first = nullptr;
    worker_pool* brisk = nullptr;
    worker_pool* patient = nullptr;
    pthread_key_t end_key{}; ///< its destructor is the last that a thread runs of ours
    bool has_end_key = false;

    static void before_fork();
    static void in_parent();
    static void in_child();
    static void thread_ends(void* pool) { static_cast<worker_pool*>(pool)->thread_is_gone(); }

    worker_pool& kept(worker_pool*& which, worker_pool::kind kind, std::size_t most);
};

namespace {
constinit worker_pools pools;
}

void worker_pools::before_fork() {
    pools.mutex.lock();
    for (worker_pool* p = pools.first; p != nullptr; p = p->next_pool_) {
        p->mutex_.lock();
    }
}

void worker_pools::in_parent() {
    for (worker_pool* p = pools.first; p != nullptr; p = p->next_pool_) {
        p->mutex_.unlock();
    }
    pools.mutex.unlock();
}

void worker_pools::in_child() {
    own_pool = nullptr; // if a worker forked, it is the main thread now
    if (pools.has_end_key) {
        pthread_setspecific(pools.end_key, nullptr);
    }
    for (worker_pool* p = pools.first; p != nullptr; p = p->next_pool_) {
        p->forked();
        p->mutex_.unlock();
    }
    pools.mutex.unlock();
}

namespace {
[[gnu::constructor]] void watch_threads_and_forks() {
    pthread_atfork(&worker_pools::before_fork, &worker_pools::in_parent, &worker_pools::in_child);
    pools.has_end_key = pthread_key_create(&pools.end_key, &worker_pools::thread_ends) == 0;
}
} // namespace

/// Never destroyed: a worker may outlive main. Made under the mutex, not by a local static, whose
/// guard a child could find taken by a thread that it lacks.
worker_pool& worker_pools::kept(worker_pool*& which, worker_pool::kind kind, std::size_t most) {
    std::unique_lock lock(mutex);
    if (which == nullptr) {
        lock.unlock();
        auto made = std::make_unique<worker_pool>(kind, most, "tendril-worker");
        lock.lock();
        if (which == nullptr) {
            which = made.release();
        }
        lock.unlock();
    }
    return *which;
}

worker_pool& worker_pool::brisk() {
    return pools.kept(pools.brisk, kind::bounded, brisk_threads);
}

worker_pool& worker_pool::patient() {
    return pools.kept(pools.patient, kind::unbounded, any_number);
}

std::uint64_t worker_pool::activity() noexcept {
    return events.load();
}

std::size_t worker_pool::idle_threads() noexcept {
    const std::lock_guard lock(pools.mutex);
    std::size_t idle = 0;
    for (worker_pool* p = pools.first; p != nullptr; p = p->next_pool_) {
        const std::lock_guard pool_lock(p->mutex_);
        idle += p->idle_ - std::min(p->idle_, p->queued_ + p->idle_hubs_);
    }
    return idle;
}

worker_pool::worker_pool(kind what, std::size_t most_threads, const char* name) noexcept
    : kind_(what)
    , most_threads_(most_threads) {
    std::copy_n(name, std::min(std::strlen(name), name_.size() - 1), name_.begin());
    const std::lock_guard lock(pools.mutex);
    next_pool_ = std::exchange(pools.first, this);
}

worker_pool::~worker_pool() {
    const std::lock_guard lock(pools.mutex);
    worker_pool** link = &pools.first;
    while (*link != this) {
        link = &(*link)->next_pool_;
    }
    *link = next_pool_;
}

// ------------------------------------------------------------------------------------------- jobs

int worker_pool::post(const std::shared_ptr<pool_job>& job) noexcept {
    const std::lock_guard lock(mutex_);
    if (closed_) {
        return ESRCH;
    }
    if (idle_ <= queued_ && workers_ < most_threads_) {
        const int error = start_thread();
        if (error != 0 && (kind_ == kind::unbounded || workers_ == 0)) {
            return error;
        }
    }
    job->self_ = job;
    job->prev_ = last_;
    job->next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = job.get();
    last_ = job.get();
    ++queued_;
    events.fetch_add(1);
    wanted_.notify_one();
    return 0;
}

void worker_pool::unlink(pool_job& job) noexcept {
    (job.prev_ != nullptr ? job.prev_->next_ : first_) = job.next_;
    (job.next_ != nullptr ? job.next_->prev_ : last_) = job.prev_;
    --queued_;
}

std::shared_ptr<pool_job> worker_pool::take_first() noexcept {
    pool_job& job = *first_;
    unlink(job);
    return std::move(job.self_);
}

bool worker_pool::withdraw(pool_job& job) noexcept {
    std::shared_ptr<pool_job> last_owner; // outlives the lock: it may end what it was given
    const std::lock_guard lock(mutex_);
    if (job.self_ == nullptr) {
        return false;
    }
    unlink(job);
    last_owner = std::move(job.self_);
    tell_waiters();
    return true;
}

// ---------------------------------------------------------------------------------------- threads

int worker_pool::start_thread() noexcept {
    // Signals belong to the program's own threads.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t id{};
    pthread_attr_t detached;
    int error = pthread_attr_init(&detached);
    if (error == 0) {
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        error = pthread_create(&id, &detached, &run_thread, this);
        pthread_attr_destroy(&detached);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error == 0) {
        ++workers_;
        ++threads_;
    }
    return error;
}

void* worker_pool::run_thread(void* pool) noexcept {
    auto& self = *static_cast<worker_pool*>(pool);
    own_pool = &self;
    pthread_setname_np(pthread_self(), self.name_.data());
    // After the destructors of thread_local objects, which may be the program's.
    const bool ends_late = pools.has_end_key && pthread_setspecific(pools.end_key, &self) == 0;
    self.serve();
    if (!ends_late && own_pool != nullptr) {
        self.thread_is_gone();
    }
    return nullptr;
}

void worker_pool::serve() noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
        const std::size_t hubs = hub_core::current_or_null() != nullptr ? 1 : 0;
        ++idle_;
        idle_hubs_ += hubs;
        const bool called =
            wanted_.wait_for(lock, idle_life, [this] { return first_ != nullptr || closed_; });
        --idle_;
        idle_hubs_ -= hubs;
        if (!called || first_ == nullptr) {
            --workers_;
            return;
        }
        std::shared_ptr<pool_job> job = take_first();
        ++working_;
        lock.unlock();
        job->work();
        job.reset();
        if (own_pool == nullptr) {
            return; // the job forked, and in the child this is no worker any more
        }
        events.fetch_add(1);
        lock.lock();
        --working_;
        tell_waiters();
    }
}

void worker_pool::thread_is_gone() noexcept {
    const std::lock_guard lock(mutex_);
    --threads_;
    tell_waiters();
}

bool worker_pool::is_own_thread() const noexcept {
    return own_pool == this;
}

// ---------------------------------------------------------------------------------------- the end

/// With the lock, so that nothing of the pool is touched once somebody has seen what he waits for.
void worker_pool::tell_waiters() noexcept {
    if ((queued_ == 0 && working_ == 0) || threads_ == 0) {
        while (waiter* w = pop_waiter(waiters_)) {
            hub_core::wake_up(w->who, wake::ready);
        }
        changed_.notify_all();
    }
}

/// Until tell_waiters(). False: given up.
bool worker_pool::wait(std::unique_lock<std::mutex>& lock, bool cancellable) noexcept {
    hub_core* const hub = hub_core::current_or_null();
    if (hub == nullptr) {
        changed_.wait(lock);
        return true;
    }
    waiter self;
    self.who = hub->prepare();
    push_waiter(waiters_, self);
    lock.unlock();
    const wake end = hub->park(self.who, {wait_kind::other, "thread pool", -1, this, cancellable});
    lock.lock();
    remove_waiter(waiters_, self);
    return end != wake::cancelled;
}

bool worker_pool::drain() noexcept {
    std::unique_lock lock(mutex_);
    while (queued_ != 0 || working_ != 0) {
        if (!wait(lock, true)) {
            return false;
        }
    }
    return true;
}

void worker_pool::close() noexcept {
    std::unique_lock lock(mutex_);
    closed_ = true;
    wanted_.notify_all();
    while (first_ != nullptr) {
        const std::shared_ptr<pool_job> job = take_first();
        lock.unlock();
        job->refuse();
        lock.lock();
    }
    tell_waiters();
    while (threads_ != 0) {
        wait(lock, false);
    }
}

void worker_pool::forked() noexcept {
    if (last_ != nullptr) { // not destroyed: they belong to threads that do not exist here
        last_->next_ = std::exchange(lost_, std::exchange(first_, nullptr));
        last_ = nullptr;
    }
    waiters_ = nullptr;
    queued_ = working_ = workers_ = idle_ = idle_hubs_ = threads_ = 0;
    new (&wanted_) std::condition_variable;
    new (&changed_) std::condition_variable;
}

} // namespace tendril::detail
