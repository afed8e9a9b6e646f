// SPDX-License-Identifier: BSL-1.0
#include "offload/offload.hpp"

#include "offload/worker_pool.hpp"
#include "sys/calls.hpp"

#include <atomic>
#include <csignal>
#include <pthread.h>
#include <sys/stat.h>

namespace tendril::detail {

namespace {

constinit std::atomic<bool> tables_differ{false};
/// Its table is the one that the process began with, which all workers have.
thread_local constinit bool has_first_table [[gnu::tls_model("initial-exec")]] = false;

/// As /proc has it: a folder for each thread, beside its own two links.
bool is_only_thread() noexcept {
    struct stat threads {};
    return ::stat("/proc/self/task", &threads) == 0 && threads.st_nlink == 3;
}

[[gnu::constructor]] void hear_of_forks() {
    pthread_atfork(nullptr, nullptr, [] { tables_differ.store(false, std::memory_order_relaxed); });
}

} // namespace

void fds_unshared() noexcept {
    if (!is_only_thread()) {
        has_first_table = false;
        tables_differ.store(true, std::memory_order_relaxed);
    }
}

/// Relaxed: a thread that was made by one with another table sees what that one wrote.
bool shares_fds_with_workers() noexcept {
    if (!tables_differ.load(std::memory_order_relaxed)) {
        has_first_table = true;
    }
    return has_first_table;
}

void offload_job::work() noexcept {
    run();
    take_signals();
    if (waiter_.fiber != nullptr) {
        hub_core::wake_up(waiter_, wake::ready);
    }
}

/// Those that the kernel sends to the thread that makes a call (write(2)), where they are blocked.
void offload_job::take_signals() noexcept {
    sigset_t of_writes;
    sigemptyset(&of_writes);
    sigaddset(&of_writes, SIGXFSZ);
    sigaddset(&of_writes, SIGPIPE);
    constexpr timespec at_once{};
    for (int signal = 0; signal >= 0;) {
        signal = sys::real.sigtimedwait(&of_writes, nullptr, &at_once);
        exceeded_limit_ = exceeded_limit_ || signal == SIGXFSZ;
        broke_pipe_ = broke_pipe_ || signal == SIGPIPE;
    }
}

void offload_job::raise_signals() const noexcept {
    if (exceeded_limit_) {
        pthread_kill(pthread_self(), SIGXFSZ);
    }
    if (broke_pipe_) {
        pthread_kill(pthread_self(), SIGPIPE);
    }
}

wake offload(const std::shared_ptr<offload_job>& job, const wait_reason& why, time_point deadline,
             offload_to where) {
    hub_core& hub = hub_core::current();
    worker_pool& pool =
        where == offload_to::own_thread ? worker_pool::patient() : worker_pool::brisk();
    const ticket t = hub.prepare();
    if (why.cancellable && hub.is_given_up()) {
        return hub.park(t, why, deadline); // returns at once
    }
    job->waiter_ = t;
    if (!shares_fds_with_workers() || pool.post(job) != 0) {
        hub_core::withdraw(t);
        job->run();
        return wake::ready;
    }
    const wake end = hub.park(t, why, deadline);
    if (end == wake::ready) {
        job->raise_signals();
    } else {
        pool.withdraw(*job);
    }
    return end;
}

bool offload_patiently(const std::shared_ptr<offload_job>& job) {
    return shares_fds_with_workers() && worker_pool::patient().post(job) == 0;
}

} // namespace tendril::detail
