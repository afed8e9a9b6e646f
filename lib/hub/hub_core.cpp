// SPDX-License-Identifier: BSL-1.0
#include "hub/hub_core.hpp"

#include "base/cycle_counter.hpp"
#include "base/single_threaded.hpp"
#include "fiber/overflow.hpp"
#include "fiber/switch.hpp"
#include "hub/keep_errno.hpp"
#include "hub/kept_states.hpp"
#include "hub/task_access.hpp"

#include <algorithm>
#include <utility>

namespace tendril::detail {

thread_local constinit hub_core* hub_core::current_hub_ [[gnu::tls_model("initial-exec")]] =
    nullptr;

namespace {

/// The one step that decides among those who compete for a ticket.
inline bool change_word(ticket t, std::uint64_t to) noexcept {
    std::atomic<std::uint64_t>& word = t.fiber->word;
    std::uint64_t expected = t.value;
    if (!single_threaded()) {
        return word.compare_exchange_strong(expected, to, std::memory_order_acq_rel,
                                            std::memory_order_acquire);
    }
    if (word.load(std::memory_order_relaxed) != expected) {
        return false;
    }
    word.store(to, std::memory_order_relaxed);
    return true;
}

/// Begins to load where a suspended fiber stopped. It runs soon, and its stack is cold where many
/// wait: without this, a yield among 1,000 fibers takes up to twice as long.
inline void prefetch_stack(const fiber_record& r, std::size_t lines) noexcept {
    // As a number: that of a fiber that has not begun is null, to which nothing may be added.
    const auto top = reinterpret_cast<std::uintptr_t>(r.context.handle);
    for (std::size_t i = 0; i < lines; ++i) {
        __builtin_prefetch(reinterpret_cast<const void*>(top + i * 64));
    }
}

} // namespace

hub_core::hub_core(std::unique_ptr<reactor> r)
    : timers_(r->now())
    , reactor_(std::move(r)) {
    main_.home = this;
    main_.stk = &main_stack_;
    main_.extra = &main_extra_;
    main_extra_.owner = &main_;
}

hub_core::~hub_core() = default;

// ------------------------------------------------------------------------------------- switching

/// Never inlined: one place to leave and arrive at lets the CPU predict the way back.
[[gnu::noinline, gnu::aligned(64)]] void hub_core::resume(saved_context& from,
                                                          fiber_record& next) noexcept {
    running_ = &next;
#if defined(TENDRIL_ASAN) || defined(TENDRIL_TSAN)
    switch_context(cells_, from, next); // in a file that is not instrumented
#else
    switch_context_inline(cells_, from, next);
#endif
}

inline void hub_core::switch_to(fiber_record& next) noexcept {
    if (&next != running_) {
        resume(running_->context, next);
    }
}

/// What runs at the bottom of every fiber stack: one fiber after the other, as long as the next one
/// is new and fits here, which costs no switch at all.
fiber_record& hub_core::run_fibers(stack& s) noexcept {
    for (;;) {
        hub_core& hub = *current_hub_;
        fiber_record& self = *hub.running_;
        if (hub.given_up_ != 0 && self.extra->cancelled != nullptr) [[unlikely]] {
            hub.end_unbegun(self);
        } else {
            task_access::run(*self.job);
        }
        if (self.extra->values != nullptr) [[unlikely]] {
            hub.end_values(self);
        }
        stack_pool::check_canary(s);
        if (&self == hub.sole_survivor_) [[unlikely]] {
            end_process(*self.job);
        }
        task_access::complete(*self.job);
        self.job->release();
        if (hub.spent_ != nullptr) [[unlikely]] {
            hub.drop_spent_requests();
        }
        hub.ended(self);
        fiber_record& next = hub.pick_next(&s);
        hub.running_ = &next;
        if (next.stk != &s) {
            // Nothing is handed out between the release and the switch, so nobody treads on us.
            hub.stacks_.release(&s);
            return next;
        }
        *hub.cells_.error = 0; // as of a new thread
    }
}

/// Once per thread, with its first fiber stack.
void hub_core::watch_for_overflow() noexcept {
    if (!watches_overflow_) {
        install_overflow_handler(&hub_core::describe_running);
        watches_overflow_ = prepare_thread_signal_stack(); // without memory: with the next stack
    }
}

running_fiber hub_core::describe_running() noexcept {
    const hub_core* hub = current_hub_;
    if (hub == nullptr || hub->running_ == &hub->main_ || hub->running_->job == nullptr) {
        return {};
    }
    const fiber_record& r = *hub->running_;
    return {r.stk, r.job->id(), task_access::name(*r.job)};
}

bool hub_core::give_stack(fiber_record& r, stack* own) noexcept {
    if (is_guest(r)) {
        hand_to_guests(r);
        return false;
    }
    stack* s = own;
    if (s == nullptr || s->size != stack_pool::rounded(r.extra->stack_size)) {
        s = stacks_.acquire(r.extra->stack_size);
    }
    if (s == nullptr) {
        abandon(r, out_of_memory_);
        return false;
    }
    watch_for_overflow();
    begins_warm_ = watches_overflow_ && states_ == nullptr;
    if (states_ != nullptr) {
        const keep_errno errno_of_the_running_fiber(cells_);
        states_->change_to(r);
    }
    r.stk = s;
    if (s != own) { // else there is no switch
        r.context = begin_context(*s);
    }
    return true;
}

/// What give_stack() does in the common case: a used stack of the default size is at hand.
inline bool hub_core::give_warm_stack(fiber_record& r, stack* own) noexcept {
    if (r.extra->stack_size != default_stack_size || !begins_warm_) {
        return false;
    }
    stack* s = own != nullptr && own->size == default_stack_size ? own : stacks_.acquire_warm();
    if (s == nullptr) {
        return false;
    }
    r.stk = s;
    if (s != own) { // else there is no switch
        r.context = begin_context(*s);
    }
    return true;
}

/// The next fiber to run, waiting for one if need be. `own` is the stack of a fiber that has just
/// ended, which the next new one may take over.
inline fiber_record& hub_core::pick_next(stack* own) noexcept {
    if (++switches_ == check_at_) [[unlikely]] {
        check();
    }
    fiber_record* const next = ready_.front();
    if (next == nullptr || !backlog_.empty() ||
        (next->stk == nullptr && !give_warm_stack(*next, own))) {
        return find_next(own);
    }
    ready_.pop();
    if (const fiber_record* after_next = ready_.front(); after_next != nullptr) {
        prefetch_stack(*after_next, 8); // as deep as a read from a socket
        __builtin_prefetch(after_next->next);
    }
    return *next;
}

/// The common case: the first in the queue has a stack, and nobody waits to be admitted.
inline bool hub_core::can_switch_at_once() const noexcept {
    return !ready_.empty() && ready_.front()->stk != nullptr && backlog_.empty();
}

fiber_record& hub_core::find_next(stack* own) noexcept {
    for (;;) {
        if (!backlog_.empty() && ready_.size() < ready_target) {
            ready_.push(backlog_.pop());
        }
        fiber_record* r = ready_.pop();
        if (r == nullptr) {
            wait_for_work();
        } else if (r->stk != nullptr || give_stack(*r, own)) {
            return *r;
        }
    }
}

void hub_core::yield() noexcept {
    fiber_record& self = *running_;
    if (switches_ + 1 != check_at_ && can_switch_at_once()) [[likely]] {
        ++switches_;
        fiber_record& next = *ready_.exchange(&self);
        prefetch_stack(*ready_.front(), 1);
        resume(self.context, next);
    } else {
        yield_slowly();
    }
}

/// Not inlined into yield(), which would have to save registers for it.
[[gnu::noinline]] void hub_core::yield_slowly() noexcept {
    fiber_record& self = *running_;
    if (is_guest(self)) [[unlikely]] {
        yield_guest();
    } else {
        ready_.push(&self);
        switch_to(pick_next(nullptr));
    }
}

// --------------------------------------------------------------------------------------- waiting

bool hub_core::withdraw(ticket t) noexcept {
    return change_word(t, t.value & ~ticket_state_mask);
}

bool hub_core::win(ticket t, wake why) noexcept {
    return change_word(t, (t.value & ~ticket_state_mask) | static_cast<std::uint64_t>(why));
}

void hub_core::make_runnable(fiber_record& r) noexcept {
    r.home->make_ready(r);
}

bool hub_core::wake_up(ticket t, wake why) noexcept {
    if (!change_word(t, (t.value & ~ticket_state_mask) | static_cast<std::uint64_t>(why))) {
        return false;
    }
    // From here the fiber cannot go on before it is queued, so its record is ours to read.
    t.fiber->home->make_ready(*t.fiber);
    return true;
}

void hub_core::make_ready(fiber_record& r) noexcept {
    if (current_hub_ == this) {
        prefetch_stack(r, 2);
        ready_.push(&r);
    } else if (mailbox_.woken.push(&r)) {
        notify();
    }
}

/// After a push to an inbox. The hub announces its sleep and then looks into the inboxes; the push
/// comes before this look at the announcement; all four are sequentially consistent.
void hub_core::notify() noexcept {
    if (mailbox_.sleeping.load(std::memory_order_seq_cst) &&
        mailbox_.sleeping.exchange(false, std::memory_order_acq_rel)) {
        reactor_->interrupt();
    }
}

wake hub_core::park(ticket t, const wait_reason& why, time_point deadline) noexcept {
    fiber_record& self = *t.fiber;
    if (given_up_ != 0) [[unlikely]] {
        if (is_guest(self)) {
            return park_guest(t, why, deadline);
        }
        if (must_give_up(why, t)) {
            charge(); // code that tries again and again must not keep the others from running
            return wake::cancelled;
        }
    }
    wait_reason unwinding;
    ++counters_.waits[static_cast<std::size_t>(why.kind)];
    self.waiting = &why;
    if (cells_.exceptions->uncaught != 0) [[unlikely]] {
        unwinding = why;
        unwinding.uncaught = cells_.exceptions->uncaught;
        self.waiting = &unwinding;
    }
    if (deadline != never) {
        self.extra->deadline = deadline;
        timers_.insert(*self.extra);
    }
    switch_to(pick_next(nullptr));
    if (deadline != never) {
        timers_.remove(*self.extra);
    }
    self.waiting = nullptr;
    const std::uint64_t word = self.word.load(std::memory_order_acquire);
    if (spent_ != nullptr) [[unlikely]] {
        drop_spent_requests();
    }
    return static_cast<wake>(word & ticket_state_mask);
}

wake hub_core::sleep_until(time_point deadline) noexcept {
    return park(prepare(), {wait_kind::sleep, "sleep"}, deadline);
}

std::size_t hub_core::others() const noexcept {
    return live_ - draining_fibers_;
}

bool hub_core::drain() noexcept {
    // A fiber that drains does not wait for itself, nor for others that drain. The main fiber can
    // wait for those too, because nobody waits for it; so can guests.
    const bool is_fiber = running_->job != nullptr;
    draining_fibers_ += is_fiber ? 1 : 0;
    while ((is_fiber ? others() : live_) != 0) {
        waiter self;
        self.who = prepare();
        push_waiter(drainers_, self);
        const wake end = park(self.who, {wait_kind::join, "drain"});
        remove_waiter(drainers_, self);
        if (end == wake::cancelled) {
            draining_fibers_ -= is_fiber ? 1 : 0;
            return false;
        }
    }
    draining_fibers_ -= is_fiber ? 1 : 0;
    return true;
}

// --------------------------------------------------------------------------------- the hub's work

/// Every few switches: is it time to poll? By number of switches, and by time, because a switch may
/// be a nanosecond or a second away from the last.
void hub_core::check() noexcept {
    const bool late = cycle_counter() - polled_at_ > cycles_per_millisecond;
    check_interval_ = late ? 1 : std::min(check_interval_ * 2, switches_per_check);
    check_at_ = switches_ + check_interval_;
    // Whoever is in the backlog starts in the end, also when those before never stop running.
    if (!backlog_.empty()) {
        ready_.push(backlog_.pop());
    }
    if (late || switches_ + check_interval_ > poll_at_) {
        service();
    }
    if (schedule_ != nullptr) {
        perturb();
    }
}

/// For tests: another fiber than the first goes on, now and then after a poll, and the next switch
/// comes here again.
void hub_core::perturb() noexcept {
    check_at_ = switches_ + 1;
    if (schedule_->choose(4) == 0) {
        service();
    }
    if (!ready_.empty()) {
        for (std::size_t n = schedule_->choose(ready_.size()); n != 0; --n) {
            ready_.push(ready_.pop());
        }
    }
}

/// Events, timers and other threads' wake-ups, without waiting.
void hub_core::service() noexcept {
    const keep_errno errno_of_the_running_fiber(cells_);
    ++counters_.polls;
    polled_at_ = cycle_counter();
    const bool more = reactor_->poll(time_point::min(), *this);
    poll_at_ = switches_ + (more ? switches_per_batch : switches_per_poll);
    take_inboxes();
    if (timers_.size() != 0) {
        fire_timers(reactor_->now());
    }
}

void hub_core::on_ready(std::uint64_t token, std::uint32_t events) noexcept {
    if (listener_ != nullptr) {
        listener_->on_ready(token, events);
    }
}

void hub_core::prefetch(std::uint64_t token, bool again) noexcept {
    if (listener_ != nullptr) {
        listener_->prefetch(token, again);
    }
}

void hub_core::on_lost() noexcept {
    if (listener_ != nullptr) {
        listener_->on_lost();
    }
}

void hub_core::fire_timers(time_point now) noexcept {
    while (timer* t = timers_.pop_due(now)) {
        if (t->fires == timer_of::wait) {
            // Its present wait: it takes the timer out before it can begin another.
            fiber_record& r = *static_cast<fiber_extra*>(t)->owner;
            const ticket present{&r, r.word.load(std::memory_order_acquire)};
            if ((present.value & ticket_state_mask) == ticket_waiting) {
                wake_up(present, wake::timeout);
            }
        } else {
            scope_is_over(*static_cast<cancel_scope*>(t));
        }
    }
}

void hub_core::take_inboxes() noexcept {
    if (signals_.pending()) [[unlikely]] {
        interrupt_waits();
    }
    for (fiber_record* r = mailbox_.woken.take_all(); r != nullptr;) {
        fiber_record* following = r->next;
        ++counters_.remote_wakes;
        ready_.push(r);
        r = following;
    }
    // A fiber arrived before anybody could cancel it: so its request is taken first, but comes
    // last.
    cancel_request* const requests = mailbox_.requests.take_all();
    accept_arrivals(mailbox_.arrivals.take_all());
    take_requests(requests);
}

} // namespace tendril::detail
