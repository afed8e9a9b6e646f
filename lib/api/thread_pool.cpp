// SPDX-License-Identifier: BSL-1.0
#include <tendril/thread_pool.hpp>

#include "hub/cancellation.hpp"
#include "offload/worker_pool.hpp"
#include "sys/processors.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <system_error>

namespace tendril {

namespace detail {

namespace {

constexpr std::size_t offload_threads = 32;

void forbid_to_workers(const worker_pool& pool, const char* what) {
    if (pool.is_own_thread()) {
        throw std::system_error(EDEADLK, std::system_category(),
                                std::string(what) + " a thread pool within a call that it runs");
    }
}

} // namespace

limiter_state::limiter_state(std::size_t at_most)
    : limit(at_most)
    , permits(at_most) {
    if (at_most == 0 || at_most > semaphore_core::most) {
        throw std::system_error(EINVAL, std::system_category(), "the limit of a limiter");
    }
}

std::exception_ptr pool_was_shut_down() noexcept {
    try {
        throw std::system_error(ECANCELED, std::system_category(),
                                "the thread pool was shut down before the call began");
    } catch (...) { // std::bad_alloc, if there is no memory for the text
        return std::current_exception();
    }
}

void worker_pool_end::operator()(worker_pool* pool) const noexcept {
    if (pool->is_own_thread()) {
        std::fputs("tendril: a thread pool is destroyed within a call that it runs\n", stderr);
        std::terminate();
    }
    pool->close();
    delete pool;
}

/// Never destroyed: who waits in it may outlive main. No local static, whose guard a child of a
/// fork could find taken by a thread that it lacks.
thread_pool& offload_pool() {
    static constinit std::atomic<thread_pool*> kept{nullptr};
    thread_pool* pool = kept.load(std::memory_order_acquire);
    if (pool == nullptr) {
        auto made = std::make_unique<thread_pool>(offload_threads, "tendril-offload");
        if (kept.compare_exchange_strong(pool, made.get(), std::memory_order_acq_rel)) {
            pool = made.release();
        }
    }
    return *pool;
}

} // namespace detail

inline namespace v1 {

thread_pool::thread_pool(std::size_t threads, const std::string& name)
    : workers_(new detail::worker_pool(detail::worker_pool::kind::bounded,
                                       threads != 0 ? threads : sys::processors(), name.c_str())) {}

thread_pool::~thread_pool() = default;

void thread_pool::post(const std::shared_ptr<detail::pool_job>& job) {
    switch (const int error = workers_->post(job)) {
    case 0:
        return;
    case ESRCH:
        throw std::system_error(error, std::system_category(), "a thread pool that is shut down");
    default:
        throw std::system_error(error, std::system_category(), "a thread for the thread pool");
    }
}

void thread_pool::withdraw(detail::pool_job& job) noexcept {
    workers_->withdraw(job);
}

void thread_pool::drain() {
    detail::forbid_to_workers(*workers_, "drain");
    if (!workers_->drain()) {
        detail::throw_given_up("drain a thread pool");
    }
}

void thread_pool::shutdown() {
    detail::forbid_to_workers(*workers_, "shut down");
    workers_->close();
}

std::size_t thread_pool::threads() const noexcept {
    return workers_->most_threads();
}

} // namespace v1
} // namespace tendril
