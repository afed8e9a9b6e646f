// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "hub/wait_reason.hpp"

#include <tendril/detail/pool_job.hpp>

#include <memory>
#include <utility>

namespace tendril::detail {

/// Jobs that end share a few threads; one that may block for ever needs one of its own.
enum class offload_to : unsigned char { shared_threads, own_thread };

/// The calling thread has a table of fds of its own from now on (unshare(2), close_range(2)): what
/// it would offload runs on itself, for on a worker the numbers mean other files. Threads that
/// never asked shares_fds_with_workers() before may have been made by it, and count as it does.
void fds_unshared() noexcept;
bool shares_fds_with_workers() noexcept;

/// A job of this library's, for which a fiber waits in the hub.
class offload_job : public pool_job {
public:
    virtual void run() noexcept = 0; ///< on a worker thread, which never has a hub

private:
    friend wake offload(const std::shared_ptr<offload_job>& job, const wait_reason& why,
                        time_point deadline, offload_to where);
    void work() noexcept final;
    void take_signals() noexcept;
    void raise_signals() const noexcept;
    void refuse() noexcept final {} // these pools are never closed

    ticket waiter_;
    bool exceeded_limit_ = false; ///< SIGXFSZ
    bool broke_pipe_ = false;     ///< SIGPIPE
};

/// Runs the job on a worker thread and parks the calling fiber until it is done. wake::ready: it
/// ran, and all that it wrote is visible; else the wait ended first. Then the job is running; one
/// that had not begun never will, and if the wait was over before it began, nothing was done.
/// When no thread can be had at all, or none that has this one's fds, the job runs right here and
/// blocks the hub. A SIGXFSZ or SIGPIPE that the kernel sent to the worker for it is raised on this
/// thread before this returns.
wake offload(const std::shared_ptr<offload_job>& job, const wait_reason& why,
             time_point deadline = never, offload_to where = offload_to::shared_threads);

/// Starts a job that may block for as long as it likes: on a thread outside of the pool that
/// offload() shares, so it delays nobody. It reports its end itself. How many there can be at once
/// is for the caller to bound. False: no thread can be had, or none that has this one's fds, and
/// the job was not taken.
bool offload_patiently(const std::shared_ptr<offload_job>& job);

/// `work(state)` on a worker thread; returns how the wait ended, and the state.
template <typename State, typename Work>
std::pair<wake, std::shared_ptr<State>>
offload_with(std::shared_ptr<State> state, Work work, const wait_reason& why,
             time_point deadline = never, offload_to where = offload_to::shared_threads) {
    struct job final : offload_job {
        job(std::shared_ptr<State> s, Work w)
            : state(std::move(s))
            , call(std::move(w)) {}
        void run() noexcept override { call(*state); }
        std::shared_ptr<State> state;
        Work call;
    };
    const wake w = offload(std::make_shared<job>(state, std::move(work)), why, deadline, where);
    return {w, std::move(state)};
}

} // namespace tendril::detail
