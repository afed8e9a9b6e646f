// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

#include <memory>

namespace tendril {
namespace detail {

/// Work for a thread outside of the hubs. Shared by whoever wants its result and the worker: who
/// gives up waiting leaves it to the worker, so it must own all that work() touches.
class TENDRIL_EXPORT pool_job {
public:
    pool_job() noexcept = default;
    virtual ~pool_job();
    pool_job(const pool_job&) = delete;
    pool_job& operator=(const pool_job&) = delete;

    virtual void work() noexcept = 0;   ///< on a worker thread
    virtual void refuse() noexcept = 0; ///< instead of work(): the pool is shut down

private:
    friend class worker_pool;

    // While it waits for a worker. Here, so that queueing it takes no memory.
    std::shared_ptr<pool_job> self_;
    pool_job* prev_ = nullptr;
    pool_job* next_ = nullptr;
};

} // namespace detail
} // namespace tendril
