// SPDX-License-Identifier: BSL-1.0
// What another thread can see of a hub whose thread does not come back to it. The hub does nothing
// for it, so what is read may be out of date, or gone: it is copied by the kernel.
#include "hub/hub_core.hpp"
#include "hub/task_access.hpp"
#include "sys/stack_walk.hpp"

namespace tendril::detail {

std::optional<std::uint64_t> hub_core::progress() const noexcept {
    std::uint64_t switches = 0;
    std::uint64_t polls = 0;
    if (!sys::copy_memory(&switches, &switches_, sizeof switches) ||
        !sys::copy_memory(&polls, &counters_.polls, sizeof polls)) {
        return std::nullopt;
    }
    return switches + polls;
}

hub_core::glimpse hub_core::glimpse_of_running() const noexcept {
    glimpse seen;
    const fiber_record* running = nullptr;
    const task* job = nullptr;
    if (!sys::copy_memory(&running, &running_, sizeof running) || running == nullptr ||
        !sys::copy_memory(&job, &running->job, sizeof job) || job == nullptr) {
        return seen;
    }
    const char* name = nullptr;
    sys::copy_memory(&seen.id, task_access::id_address(*job), sizeof seen.id);
    sys::copy_memory(&seen.spawned_at, &running->extra->spawned_at, sizeof seen.spawned_at);
    if (sys::copy_memory(&name, task_access::name_address(*job), sizeof name)) {
        sys::copy_text(seen.name, sizeof seen.name, name);
    }
    return seen;
}

} // namespace tendril::detail
