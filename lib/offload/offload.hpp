// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "hub/wait_reason.hpp"

#include <memory>
#include <utility>

namespace tendril::detail {

/// Work for a thread outside of the hubs. Shared by the waiting fiber and the worker: a fiber that
/// gives up waiting leaves it to the worker, so it must own all that run() touches.
class offload_job {
public:
    offload_job() noexcept = default;
    virtual ~offload_job() = default;
    offload_job(const offload_job&) = delete;
    offload_job& operator=(const offload_job&) = delete;
    virtual void run() noexcept = 0; ///< on a worker thread, which never has a hub

private:
    friend class worker_pool;

    // While it waits for a worker. Here, so that queueing it takes no memory.
    std::shared_ptr<offload_job> self_;
    offload_job* next_ = nullptr;
    ticket waiter_;
};

/// Runs the job on a worker thread and parks the calling fiber until it is done. wake::ready: it
/// ran, and all that it wrote is visible; else the wait ended first, and the job runs or will run.
/// When no thread can be had at all, the job runs right here and blocks the hub.
wake offload(const std::shared_ptr<offload_job>& job, const wait_reason& why,
             time_point deadline = never);

/// Starts a job that may block for as long as it likes: on a thread outside of the pool that
/// offload() shares, so it delays nobody. It reports its end itself. How many there can be at once
/// is for the caller to bound. False: no thread can be had, and the job was not taken.
bool offload_patiently(const std::shared_ptr<offload_job>& job);

/// How many of the threads made here have nothing to do, nor anything waiting for them.
std::size_t idle_workers() noexcept;

/// `work(state)` on a worker thread; returns how the wait ended, and the state.
template <typename State, typename Work>
std::pair<wake, std::shared_ptr<State>> offload_with(std::shared_ptr<State> state, Work work,
                                                     const wait_reason& why,
                                                     time_point deadline = never) {
    struct job final : offload_job {
        job(std::shared_ptr<State> s, Work w)
            : state(std::move(s))
            , work(std::move(w)) {}
        void run() noexcept override { work(*state); }
        std::shared_ptr<State> state;
        Work work;
    };
    const wake w = offload(std::make_shared<job>(state, std::move(work)), why, deadline);
    return {w, std::move(state)};
}

} // namespace tendril::detail
