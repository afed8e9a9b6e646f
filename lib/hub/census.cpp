// SPDX-License-Identifier: BSL-1.0
// Which fibers there are and what each does, from what is there anyway: the records.
#include "hub/hub_core.hpp"
#include "hub/task_access.hpp"
#include "sys/symbols.hpp"

#include <tendril/error.hpp>

#include <algorithm>
#include <cstdio>
#include <unordered_map>

namespace tendril::detail {
namespace {

std::string quoted_id(std::uint64_t id, const std::string& name) {
    return '#' + std::to_string(id) + (name.empty() ? "" : " \"" + name + '"');
}

} // namespace

/// A lock's word names its owner: a record, or the mark of a thread (current_owner() in sync/).
/// The owner may have ended, and its record be another fiber's; but no fiber ends well with a lock.
std::string hub_core::describe_owner(const wait_reason& why) {
    const auto* const word = static_cast<const std::atomic<std::uint64_t>*>(why.object);
    const std::uint64_t seen = word->load(std::memory_order_relaxed);
    if ((seen & owned_by_several) != 0) {
        return ", shared by others";
    }
    const auto owner = reinterpret_cast<const void*>(seen & ~std::uint64_t{15});
    if (owner == nullptr) {
        return {};
    }
    if (owner == thread_mark()) {
        return ", held by " + quoted_id(main_id_, "main");
    }
    const fiber_record* const r = records_.find(owner);
    if (r == nullptr) {
        return ", held by another thread";
    }
    return r->job != nullptr ? ", held by " + quoted_id(r->job->id(), task_access::name(*r->job))
                             : ", held by a fiber that has ended";
}

/// On this thread, so nobody parks or ends meanwhile.
fiber_info hub_core::describe(const fiber_record& r) {
    fiber_info info;
    info.id = r.job != nullptr ? r.job->id() : main_id_;
    info.parent = r.extra->parent;
    info.name = r.job != nullptr ? task_access::name(*r.job) : "main";
    info.cancelled = r.extra->cancelled != nullptr;
    info.spawn_address = r.extra->spawned_at;
    const wait_reason* why = r.waiting;
    const std::uint64_t state = r.word.load(std::memory_order_acquire) & ticket_state_mask;
    if (&r == running_ && why == nullptr) {
        info.state = fiber_state::running;
        // Of the main fiber that learns of a deadlock: what it was waiting for.
        why = deadlocks_.victim == &r ? &deadlocks_.victims_wait : nullptr;
    } else if (r.stk == nullptr && !is_guest(r)) {
        info.state = fiber_state::not_begun;
    } else if (why == nullptr || state != ticket_waiting) {
        why = nullptr;
    }
    if (why != nullptr) {
        info.state = fiber_state::waiting;
        info.waits_for = to_string(*why) + (why->owned ? describe_owner(*why) : "");
        info.deadline = r.extra->pending() ? r.extra->deadline : never;
    }
    return info;
}

std::vector<fiber_info> hub_core::census() {
    std::vector<fiber_info> all;
    all.reserve(live_ + 1);
    records_.for_each_live([&](const fiber_record& r) { all.push_back(describe(r)); });
    std::sort(all.begin(), all.end(),
              [](const fiber_info& a, const fiber_info& b) { return a.id < b.id; });
    if (sole_survivor_ == nullptr) { // else the main fiber was lost in a fork
        all.insert(all.begin(), describe(main_));
    }
    sys::symbolizer symbols;
    for (fiber_info& info : all) {
        if (info.spawn_address != nullptr) {
            info.spawned_in = symbols.describe(info.spawn_address);
        }
    }
    return all;
}

} // namespace tendril::detail

namespace tendril {
inline namespace v1 {
namespace {

std::string describe(const fiber_info& f) {
    switch (f.state) {
    case fiber_state::running:
        return "runs";
    case fiber_state::ready:
        return "can run";
    case fiber_state::not_begun:
        return "has not begun";
    case fiber_state::waiting:
        break;
    }
    std::string text = "waits: " + f.waits_for;
    if (f.deadline != detail::never) {
        using seconds = std::chrono::duration<double>;
        const seconds left = f.deadline - std::chrono::steady_clock::now();
        char number[40];
        std::snprintf(number, sizeof number, ", for %.3f s more", std::max(left.count(), 0.0));
        text += number;
    }
    return text;
}

} // namespace

std::string to_string(const std::vector<fiber_info>& fibers) {
    std::unordered_map<std::uint64_t, const fiber_info*> by_id;
    for (const fiber_info& f : fibers) {
        by_id.emplace(f.id, &f);
    }
    std::string text;
    for (const fiber_info& f : fibers) {
        text += detail::quoted_id(f.id, f.name) + ' ' + describe(f);
        text += f.cancelled ? "; cancelled" : "";
        if (f.spawn_address != nullptr) {
            text += "; spawned";
            text += f.spawned_in.empty() ? "" : " in " + f.spawned_in;
            if (f.parent != 0) {
                const auto parent = by_id.find(f.parent);
                text += " by " + detail::quoted_id(
                                     f.parent, parent != by_id.end() ? parent->second->name : "");
            }
        }
        text += '\n';
    }
    return text;
}

} // namespace v1
} // namespace tendril
