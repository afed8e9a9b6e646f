// SPDX-License-Identifier: BSL-1.0
#include "offload/offload.hpp"

#include "offload/worker_pool.hpp"

namespace tendril::detail {

void offload_job::work() noexcept {
    run();
    if (waiter_.fiber != nullptr) {
        hub_core::wake_up(waiter_, wake::ready);
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
    if (pool.post(job) != 0) {
        hub_core::withdraw(t);
        job->run();
        return wake::ready;
    }
    const wake end = hub.park(t, why, deadline);
    if (end != wake::ready) {
        pool.withdraw(*job);
    }
    return end;
}

bool offload_patiently(const std::shared_ptr<offload_job>& job) {
    return worker_pool::patient().post(job) == 0;
}

} // namespace tendril::detail
