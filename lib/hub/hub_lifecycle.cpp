// SPDX-License-Identifier: BSL-1.0
// How fibers come to a hub and leave it, and how a thread comes to its hub and leaves it.
#include "hub/fiber_values.hpp"
#include "hub/hub_core.hpp"
#include "hub/kept_states.hpp"
#include "hub/task_access.hpp"
#include "sys/processors.hpp"

#include <tendril/detail/guest.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tendril::detail {

namespace {

constexpr std::uint64_t ids_per_block = 256;
std::atomic<std::uint64_t> next_id_block{1};

std::exception_ptr hub_ended() noexcept {
    try {
        throw std::system_error(ECANCELED, std::system_category(),
                                "the fiber's thread ended before the fiber did");
    } catch (...) { // std::bad_alloc, if there is no memory for the text
        return std::current_exception();
    }
}

} // namespace

std::uint64_t hub_core::next_id() noexcept {
    if (id_ == id_end_) {
        id_ = next_id_block.fetch_add(ids_per_block, std::memory_order_relaxed);
        id_end_ = id_ + ids_per_block;
    }
    return id_++;
}

std::uint64_t hub_core::single_id() noexcept {
    return next_id_block.fetch_add(1, std::memory_order_relaxed);
}

/// Whoever holds a ticket of this fiber holds nothing any more.
void hub_core::void_tickets(fiber_record& r) noexcept {
    r.word.store((r.word.load(std::memory_order_relaxed) | ticket_state_mask) + 1,
                 std::memory_order_release);
}

// ----------------------------------------------------------------------------------- fibers begin

void hub_core::start(task& t, std::size_t stack_size, std::uint64_t parent, const void* from,
                     std::unique_ptr<fiber_values> inherited) {
    fiber_record* const r = &records_.take();
    if (inherited != nullptr) [[unlikely]] {
        r->extra->values = inherited.release();
    }
    r->job = &t;
    r->extra->stack_size = stack_size;
    r->extra->parent = parent;
    r->extra->spawned_at = from;
    task_access::set_record(t, *r);
    ++counters_.spawned;
    ++live_;
    // Through the backlog if anyone waits there: first come, first served.
    if (backlog_.empty() && ready_.size() < ready_target) {
        ready_.push(r);
    } else {
        backlog_.push(r);
    }
}

std::uint64_t hub_core::running_id() const noexcept {
    if (running_->job != nullptr) {
        return running_->job->id();
    }
    return has_guests() ? running_guest_id() : main_id_;
}

void hub_core::spawn(task& t, std::size_t stack_size, const void* from) {
    if (context_in_use.load(std::memory_order_relaxed)) [[unlikely]] {
        start(t, stack_size, running_id(), from, inherit_context());
    } else {
        start(t, stack_size, running_id(), from, nullptr);
    }
}

bool hub_core::spawn_remote(task& t, std::size_t stack_size, std::uint64_t generation,
                            const void* from) {
    const std::uint64_t parent = current_hub_ != nullptr ? current_hub_->running_id() : 0;
    auto a = std::make_unique<arrival>(arrival{&t, stack_size, generation, parent, from});
    if (context_in_use.load(std::memory_order_relaxed)) {
        a->values = inherit_context();
    }
    task_access::set_home(t, *this);
    mailbox_.arriving.fetch_add(1, std::memory_order_relaxed);
    if (this->generation() != generation || !mailbox_.arrivals.push(a.get())) {
        mailbox_.arriving.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
    a.release();
    notify();
    return true;
}

void hub_core::take_requests(cancel_request* first) noexcept {
    while (first != nullptr) {
        cancel(*std::exchange(first, first->next));
    }
}

void hub_core::accept_arrivals(arrival* first) noexcept {
    while (first != nullptr) {
        const std::unique_ptr<arrival> a(std::exchange(first, first->next));
        try {
            if (a->generation != generation()) {
                throw std::system_error(ESRCH, std::system_category(), "spawn on a hub that ended");
            }
            start(*a->job, a->stack_size, a->parent, a->from, std::move(a->values));
        } catch (const std::bad_alloc&) {
            task_access::fail(*a->job, out_of_memory_);
            task_access::complete(*a->job);
            a->job->release();
        } catch (...) {
            task_access::fail(*a->job, std::current_exception());
            task_access::complete(*a->job);
            a->job->release();
        }
        mailbox_.arriving.fetch_sub(1, std::memory_order_relaxed);
    }
}

// ------------------------------------------------------------------------------------- fibers end

/// As when the last thread of a process returns, see fork(2) and pthread_exit(3). What it threw,
/// nobody is here to collect.
void hub_core::end_process(task& last) noexcept {
    std::exit(task_access::report_failure(last) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/// Still in the fiber: to destroy a value may mean to wait, which then goes on also when the fiber
/// is cancelled.
void hub_core::end_values(fiber_record& r) noexcept {
    cancel_scope shield;
    shield.shields = true;
    enter(shield, never);
    while (fiber_values* const all = r.extra->values) {
        all->clear();
        if (states_ != nullptr) {
            states_->ended(r);
        }
        r.extra->values = nullptr;
        delete all;
    }
    leave(shield);
}

void hub_core::wake_drainers() noexcept {
    while (drainers_ != nullptr && others() == 0) {
        wake_up(pop_waiter(drainers_)->who, wake::ready);
    }
}

/// Ends a fiber that will not run (again). If it ever ran, its stack is never unwound nor reused,
/// and its function and arguments are not destroyed: others may hold pointers to them.
void hub_core::abandon(fiber_record& r, const std::exception_ptr& why) noexcept {
    void_tickets(r);
    static_cast<timer&>(*r.extra) = {}; // the queue has forgotten it
    r.extra->scopes = nullptr;
    if (fiber_values* const values = std::exchange(r.extra->values, nullptr)) {
        values->next = std::exchange(lost_values_, values);
    }
    task& job = *r.job;
    task_access::fail(job, why);
    task_access::complete(job);
    if (r.stk == nullptr) {
        job.release();
    } else {
        keep_lost(job);
    }
    ended(r);
}

void hub_core::keep_lost(task& t) noexcept {
    try {
        lost_.push_back(&t);
    } catch (const std::bad_alloc&) { // then it is lost to leak checkers too
    }
}

// -------------------------------------------------------------------------------------- the thread

void hub_core::attach_thread() noexcept {
    signals_.forget(); // before a handler can find the hub
    switches_ = 0;
    check_at_ = 1;
    poll_at_ = switches_per_poll;
    current_hub_ = this;
    running_ = &main_;
    adopt_thread(cells_, main_stack_, &run_fibers);
    reactor_->attached();
    counters_ = {};
    may_spin_ = sys::processors() > 1;
    spin_ = 0;
    main_id_ = next_id();
    mailbox_.reopen();
    mailbox_.generation.fetch_add(1, std::memory_order_acq_rel);
}

/// The main fiber waits while others run.
void hub_core::run_until(time_point deadline) noexcept {
    while (live_ != 0 && reactor_->now() < deadline) {
        waiter self;
        self.who = prepare();
        push_waiter(drainers_, self);
        park(self.who, {wait_kind::join, "thread exit", -1, nullptr, false}, deadline);
        remove_waiter(drainers_, self);
    }
}

void hub_core::cancel_all(const char* reason) noexcept {
    accept_arrivals(mailbox_.arrivals.close());
    records_.for_each_live([&](fiber_record& r) {
        if (r.extra->cancelled != nullptr) {
            return;
        }
        try {
            auto request = std::make_unique<cancel_request>(cancel_request{r.job, reason});
            task_access::add_reference(*r.job);
            cancel(*request.release());
        } catch (const std::bad_alloc&) { // later, perhaps
        }
    });
}

/// Again and again, for those that end may spawn others.
void hub_core::cancel_until(time_point deadline) noexcept {
    constexpr int times = 16;
    const time_point::duration part = (deadline - reactor_->now()) / times;
    for (int i = times - 1; i >= 0 && live_ != 0; --i) {
        cancel_all("its thread ends");
        yield(); // however late it is
        run_until(deadline - part * i);
    }
}

std::size_t hub_core::detach_thread(time_point give_up, time_point cancel_at) noexcept {
    if (cancel_at < give_up) {
        run_until(cancel_at);
        cancel_until(reactor_->now() + (give_up - cancel_at));
    } else {
        run_until(give_up);
    }
    const std::size_t left = live_;
    arrival* late = mailbox_.arrivals.close();
    mailbox_.generation.fetch_add(1, std::memory_order_acq_rel);
    accept_arrivals(late); // refuses them: their generation is over

    // Void every ticket that can still be won. One that another thread has won is about to arrive
    // in the inbox, and must not arrive after the hub has a new owner.
    std::size_t in_flight = 0;
    records_.for_each_live([&](fiber_record& r) {
        const ticket t{&r, r.word.load(std::memory_order_acquire)};
        const bool waits = (t.value & ticket_state_mask) == ticket_waiting;
        in_flight += waits && withdraw(t) ? 0 : 1;
    });
    while (ready_.size() + backlog_.size() < in_flight) {
        take_inboxes();
        ::syscall(SYS_sched_yield);
    }
    take_requests(mailbox_.requests.close());
    drop_spent_requests();
    mailbox_.woken.close();
    timers_.clear();
    main_extra_.scopes = nullptr;
    drainers_ = nullptr; // on stacks that are left alone from here on
    draining_fibers_ = 0;
    while (live_ != 0) { // the destructor of a function that never ran may spawn
        ready_.clear();
        backlog_.clear();
        records_.for_each_live([this, why = hub_ended()](fiber_record& r) { abandon(r, why); });
    }
    for (auto& e : extensions_) {
        if (e != nullptr) {
            e->ending();
            e.reset();
        }
    }
    if (std::exchange(watches_overflow_, false)) {
        release_thread_signal_stack();
    }
    forget_states();
    begins_warm_ = false;
    drop_spent_requests();
    given_up_ = 0;
    deadlocks_.victim = nullptr;
    deadlocks_.is_alone = nullptr;
    tasks_.clear();
    listener_ = nullptr;
    running_ = nullptr;
    current_hub_ = nullptr;
    return left;
}

void hub_core::forked() {
    current_hub_ = this;
    ready_.clear();
    backlog_.clear();
    timers_.clear();
    drainers_ = nullptr;
    draining_fibers_ = 0;
    mailbox_.reopen();
    mailbox_.arriving.store(0, std::memory_order_relaxed);
    mailbox_.sleeping.store(false, std::memory_order_relaxed);
    // The parent's other fibers are not here. Their records are not used again, because what those
    // fibers linked into somebody's list is still there.
    records_.for_each_live([this](fiber_record& r) {
        if (&r != running_) {
            void_tickets(r);
            keep_lost(*std::exchange(r.job, nullptr));
        }
    });
    if (running_ != &main_) {
        void_tickets(main_);
    }
    if (guests_ != nullptr) {
        forget_parked_guests();
        guests_->forked();
    }
    sole_survivor_ = running_->job == nullptr ? nullptr : running_;
    live_ = sole_survivor_ == nullptr ? 0 : 1;
    deadlocks_.victim = nullptr;
    keep_scopes();
    reactor_->forked();
    for (auto& e : extensions_) {
        if (e != nullptr) {
            e->forked();
        }
    }
}

/// What guests waited for in the hub is the parent's, as what fibers waited for.
void hub_core::forget_parked_guests() noexcept {
    records_.for_each([this](fiber_record& r) {
        if (&r != running_ && is_guest(r)) {
            void_tickets(r);
        }
    });
}

/// Of all that was given up, and of all timers, only the running fiber's are left.
void hub_core::keep_scopes() noexcept {
    given_up_ = (given_up_ & guest_runs) + (running_->extra->cancelled != nullptr ? 1 : 0);
    for (cancel_scope* s = running_->extra->scopes; s != nullptr; s = s->outer) {
        const bool waits = s->pending();
        const time_point deadline = s->deadline;
        given_up_ += s->over ? 1 : 0;
        static_cast<timer&>(*s) = {};
        s->fires = timer_of::scope;
        if (waits) {
            s->deadline = deadline;
            timers_.insert(*s);
        }
    }
}

void hub_core::lost_in_fork() noexcept {
    const std::uint64_t g = mailbox_.generation.load(std::memory_order_relaxed);
    mailbox_.generation.store(g + g % 2, std::memory_order_release); // ended, if it had not before
    mailbox_.requests.close();
    mailbox_.sleeping.store(false, std::memory_order_relaxed); // nobody is to be interrupted here
}

} // namespace tendril::detail
