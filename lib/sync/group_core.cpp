// SPDX-License-Identifier: BSL-1.0
// Members are watched (hub/wait_list.hpp), so one has ended when its task is done: its arguments
// and fiber_locals are gone too.
//
// Locks: that of a task first, then the group's. Under the group's, members are cancelled, which
// takes no lock.
#include "sync/group_core.hpp"

#include "hub/task_access.hpp"
#include "sync/waiting.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace tendril::detail {

/// One member, or one that has failed. Has a reference to its task.
struct group_child : watcher {
    group_core* group = nullptr;
    task* job = nullptr;
    group_child* before = nullptr;
    group_child* after = nullptr;
    std::shared_ptr<const std::atomic<bool>> counts;

    static void destroy(group_child* c) noexcept {
        task* const job = c->job;
        delete c;
        job->release();
    }
};

namespace {

constexpr std::uint64_t one = 1U << word_shift;
constexpr auto try_again_after = std::chrono::milliseconds(10);

} // namespace

group_child& group_access::add(const group_membership& in, task& t) {
    auto* const c = new group_child;
    c->told = [](watcher& w) noexcept { return ended(static_cast<group_child&>(w)); };
    c->group = &in.group;
    c->job = &t;
    c->counts = in.counts;
    task_access::add_reference(t);
    task_access::watch(t, *c); // nobody runs it yet
    group_core& g = in.group;
    word_lock lock(g.queue_);
    c->after = g.members_;
    if (c->after != nullptr) {
        c->after->before = c;
    }
    g.members_ = c;
    lock.set(lock.value() + one);
    return *c;
}

/// While it was on its way, cancelling it did nothing.
void group_access::launched(group_core& g, task& t) noexcept {
    {
        const word_lock lock(g.queue_); // either this sees it, or who cancels sees the fiber
        if (!g.cancelled()) {
            return;
        }
    }
    try {
        task_access::cancel(t, "its task group was cancelled");
    } catch (const std::bad_alloc&) {
        const word_lock lock(g.queue_);
        g.cancel_again_ = true;
    }
}

void group_access::not_launched(group_child& c) noexcept {
    task_access::unwatch(*c.job, c);
    won_fibers won;
    group_core& g = *c.group;
    {
        word_lock lock(g.queue_);
        remove(g, c);
        lock.set(lock.value() - one);
        if (lock.value() == 0) {
            won.win_all(g.queue_.first);
        }
    }
    group_child::destroy(&c);
}

/// Under the lock.
void group_access::remove(group_core& g, group_child& c) noexcept {
    (c.before != nullptr ? c.before->after : g.members_) = c.after;
    if (c.after != nullptr) {
        c.after->before = c.before;
    }
    c.before = c.after = nullptr;
}

/// In the member's fiber, under its task's lock; the fiber still has a reference to that. The group
/// may be gone after the unlocking. Wakes who waits by itself, but for one.
fiber_record* group_access::ended(group_child& c) noexcept {
    group_core& g = *c.group;
    won_fibers won;
    bool fails = false;
    {
        word_lock lock(g.queue_);
        remove(g, c);
        fails = g.together_ && task_access::failed(*c.job) && (c.counts == nullptr || *c.counts);
        if (fails) {
            task_access::keep_quiet(*c.job, true);
            (g.failed_ == nullptr ? g.failed_ : g.last_failed_->after) = &c;
            g.last_failed_ = &c;
            if (!g.cancelled()) {
                g.cancelled_.store(true, std::memory_order_release);
                cancel_members(g, "a task of its group failed");
            }
        }
        lock.set(lock.value() - one);
        if (lock.value() == 0 || g.cancel_again_) {
            won.win_all(g.queue_.first);
        }
    }
    if (!fails) {
        group_child::destroy(&c);
    }
    return nullptr;
}

/// Under the lock.
void group_access::cancel_members(group_core& g, const char* reason) noexcept {
    g.cancel_again_ = false;
    try {
        if (g.body_ != nullptr) {
            end_scope(g.body_, *g.body_home_, reason);
        }
        for (const group_child* c = g.members_; c != nullptr; c = c->after) {
            task_access::cancel(*c->job, reason);
        }
    } catch (const std::bad_alloc&) {
        g.cancel_again_ = true;
    }
}

void group_core::cancel(const char* reason, bool for_ever) noexcept {
    won_fibers won;
    const word_lock lock(queue_);
    if (for_ever) {
        cancelled_.store(true, std::memory_order_release);
    }
    group_access::cancel_members(*this, reason);
    if (cancel_again_) {
        won.win_all(queue_.first);
    }
}

bool group_access::is_member(group_core& g, const task* t) noexcept {
    const word_lock lock(g.queue_);
    const group_child* c = t == nullptr ? nullptr : g.members_;
    while (c != nullptr && c->job != t) {
        c = c->after;
    }
    return c != nullptr;
}

void group_access::wait(group_core& g, bool cancellable) {
    for (;;) {
        waiter node;
        time_point deadline = never;
        std::size_t left = 0;
        hub_core* hub = nullptr;
        {
            const word_lock lock(g.queue_);
            left = lock.value() >> word_shift;
        }
        if (left == 0) {
            return;
        }
        hub = &hub_core::current();
        {
            const word_lock lock(g.queue_);
            if (lock.value() == 0) {
                return;
            }
            if (g.cancel_again_) {
                cancel_members(g, "its task group was cancelled");
                deadline = g.cancel_again_ ? hub->now() + try_again_after : never;
            }
            enlist(g.queue_.first, node, *hub);
        }
        const wait_reason why{wait_kind::join,
                              "task group, tasks: ", static_cast<std::int64_t>(left), nullptr,
                              cancellable};
        const wake end = park_in(*hub, g.queue_, node, why, deadline);
        if (cancellable) {
            outcome_of(end, why);
        } else {
            hub->throw_if_deadlocked(); // to std::terminate: cancelled, they still wait
        }
    }
}

void group_core::wait() {
    const hub_core* const hub = hub_core::current_or_null();
    if (hub != nullptr && group_access::is_member(*this, hub->running().job)) {
        throw_error(EDEADLK, "wait by a member of task group", this);
    }
    try {
        group_access::wait(*this, true);
    } catch (...) {
        cancel("who waited for its task group gave up", together_);
        wait_unconditionally();
        throw;
    }
}

void group_core::wait_unconditionally() noexcept {
    group_access::wait(*this, false);
}

group_child* group_access::take_failed(group_core& g) noexcept {
    const word_lock lock(g.queue_);
    g.last_failed_ = nullptr;
    return std::exchange(g.failed_, nullptr);
}

std::size_t group_access::count_failed(group_core& g) noexcept {
    const word_lock lock(g.queue_);
    std::size_t count = 0;
    for (const group_child* c = g.failed_; c != nullptr; c = c->after) {
        ++count;
    }
    return count;
}

std::vector<std::exception_ptr> group_access::take_errors(group_core& g,
                                                          const std::exception_ptr& first) {
    std::vector<std::exception_ptr> all;
    all.reserve(count_failed(g) + 1);
    if (first != nullptr) {
        all.push_back(first);
    }
    group_child* c = take_failed(g);
    while (c != nullptr) {
        all.push_back(task_access::error(*c->job));
        group_child::destroy(std::exchange(c, c->after));
    }
    return all;
}

group_core::~group_core() {
    const hub_core* const hub = hub_core::current_or_null();
    if (hub != nullptr && group_access::is_member(*this, hub->running().job)) {
        std::fprintf(stderr, "tendril: task group %p is destroyed by one of its tasks\n",
                     static_cast<void*>(this));
        std::terminate();
    }
    if (size() != 0) {
        cancel("its task group ended");
    }
    wait_unconditionally();
    group_child* c = group_access::take_failed(*this);
    while (c != nullptr) { // nobody was told: so say it
        task_access::keep_quiet(*c->job, false);
        group_child::destroy(std::exchange(c, c->after));
    }
}

// ------------------------------------------------------------------------------------ the body

std::shared_ptr<scope_link> group_access::set_body(group_core& g,
                                                   std::shared_ptr<scope_link> body) {
    const word_lock lock(g.queue_);
    g.body_.swap(body);
    g.body_home_ = &hub_core::current();
    return body;
}

group_body::group_body(group_core& of)
    : scope(kind::limits, never)
    , of_(of) {
    auto link = std::make_shared<scope_link>();
    link->scope = &get();
    link->generation = hub_core::current().generation();
    get().link = link.get();
    group_access::set_body(of_, std::move(link));
}

/// A message may be on its way: it finds the link, and no scope.
group_body::~group_body() {
    group_access::set_body(of_, nullptr)->scope = nullptr;
    get().link = nullptr;
}

} // namespace tendril::detail
