// SPDX-License-Identifier: BSL-1.0
// Fibers of another library, which its scheduler switches among. To the hub they are records
// without a stack: woken, they come to the front of the run queue, where a fiber without a stack is
// given one; a guest is given to its scheduler instead (give_stack). The other way round, what a
// guest does leads here from park() and yield() by tests that fail for no fiber of the hub's own:
// while a guest runs, given_up_ is never 0, and the next switch is always one that checks.
#include <tendril/detail/guest.hpp>

#include "base/cycle_counter.hpp"
#include "hub/fiber_values.hpp"
#include "hub/hub_core.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

namespace tendril::detail {
namespace {

guest_fiber& guest_of(const fiber_record& r) noexcept {
    return *static_cast<guest_fiber*>(r.context.handle);
}

} // namespace

// ------------------------------------------------------------------------------ the hub's side

wake hub_core::park_guest(ticket t, const wait_reason& why, time_point deadline) noexcept {
    fiber_record& self = *t.fiber;
    if (given_up_ != guest_runs && must_give_up(why, t)) {
        charge();
        return wake::cancelled;
    }
    wait_reason reason = why;
    reason.uncaught = cells_.exceptions->uncaught;
    ++counters_.waits[static_cast<std::size_t>(why.kind)];
    self.waiting = &reason;
    if (deadline != never) {
        self.extra->deadline = deadline;
        timers_.insert(*self.extra);
    }
    guest_fiber& guest = guest_of(self);
    guest.parked = true;
    // Boost.Fiber 1.74 may resume a fiber for a wait that has timed out before.
    do {
        guests_->suspend();
    } while (guest.parked);
    if (deadline != never) {
        timers_.remove(*self.extra);
    }
    self.waiting = nullptr;
    const std::uint64_t word = self.word.load(std::memory_order_acquire);
    if (spent_ != nullptr) {
        drop_spent_requests();
    }
    return static_cast<wake>(word & ticket_state_mask);
}

/// From now on park() and yield() take their slow paths, which look for guests.
inline void hub_core::guest_begins(std::uint64_t& check_at) noexcept {
    if ((given_up_ & guest_runs) == 0) {
        given_up_ |= guest_runs;
        check_at = std::exchange(check_at_, switches_ + 1);
    }
}

inline void hub_core::guest_ends(std::uint64_t check_at) noexcept {
    if ((given_up_ & guest_runs) != 0) {
        given_up_ &= ~guest_runs;
        check_at_ = check_at;
    }
}

void hub_core::yield_guest() noexcept {
    guests_->yield();
}

void hub_core::hand_to_guests(fiber_record& r) noexcept {
    guests_->woken(guest_of(r));
}

std::uint64_t hub_core::running_guest_id() const noexcept {
    return is_guest(*running_) && running_ != &main_ ? guest_of(*running_).id : main_id_;
}

// ----------------------------------------------------------------------------- the guests' side

guests* guests::of_this_thread() noexcept {
    hub_core* const hub = hub_core::current_or_null();
    return hub != nullptr ? hub->guests_ : nullptr;
}

guests::guests() {
#if defined(TENDRIL_ASAN) || defined(TENDRIL_TSAN)
    throw std::system_error(ENOTSUP, std::system_category(),
                            "Boost.Fiber fibers on a hub that was built for a sanitizer, which "
                            "knows nothing of Boost's switches");
#endif
    hub_core& hub = hub_core::current();
    if (hub.running_ != &hub.main_) {
        throw std::system_error(EPERM, std::system_category(),
                                "a thread's Boost.Fiber fibers begin to run on its hub in a fiber; "
                                "call this in the thread's main flow");
    }
    if (hub.guests_ != nullptr) {
        throw std::system_error(EBUSY, std::system_category(),
                                "this thread's Boost.Fiber fibers run on its hub already");
    }
    hub_ = &hub;
    idle_guest.record = &hub.records_.take();
    idle_guest.record->stk = &hub.guests_stack_;
    idle_guest.record->extra->stack_size = 0;
    main_guest.record = &hub.main_;
    main_guest.id = hub.main_id_;
    hub.main_.stk = nullptr;
    hub.main_.context.handle = &main_guest;
    running_ = &main_guest;
    hub_runs_ = &hub.running_;
    exceptions_ = reinterpret_cast<guest_exceptions*>(hub.cells_.exceptions);
    error_ = hub.cells_.error;
    hub.guests_ = this;
    watch();
}

guests::~guests() {
    if (living_ != 0) {
        std::fprintf(stderr,
                     "tendril: %llu Boost.Fiber fibers live while their thread's scheduling "
                     "algorithm is replaced\n",
                     static_cast<unsigned long long>(living_));
        std::terminate();
    }
    switched(main_guest);
    hub_core& hub = *hub_;
    hub.guest_ends(check_at_);
    hub.main_.stk = &hub.main_stack_;
    hub.main_.context.handle = nullptr;
    hub.void_tickets(*idle_guest.record);
    hub.records_.give(*idle_guest.record);
    hub.guests_ = nullptr;
}

void guests::begin(guest_fiber& guest) {
    fiber_record& r = hub_->records_.take();
    r.extra->stack_size = 0;
    r.context.handle = &guest;
    guest.record = &r;
    guest.id = hub_->next_id();
    ++living_;
}

/// Its stack is there no more, or will not be soon.
void guests::end(guest_fiber& guest) noexcept {
    fiber_record& r = *std::exchange(guest.record, nullptr);
    if (fiber_values* const values = std::exchange(r.extra->values, nullptr)) {
        values->next = std::exchange(hub_->ended_values_, values);
    }
    hub_->void_tickets(r);
    r.context.handle = nullptr;
    hub_->records_.give(r);
    --living_;
    ++ended_;
}

/// While a guest runs, all that it does in the hub is noticed.
void guests::watch() noexcept {
    if (running_ == &idle_guest) {
        hub_->guest_ends(check_at_);
    } else {
        hub_->guest_begins(check_at_);
    }
}

bool guests::may_pass_idle() const noexcept {
    return ended_ == 0 && !notified_.load(std::memory_order_relaxed) && hub_->ready_.empty() &&
           hub_->backlog_.empty() && cycle_counter() - idle_at_ < cycles_per_millisecond / 64;
}

void guests::turn() noexcept {
    while (hub_->ended_values_ != nullptr) { // destroying one may make others
        const std::unique_ptr<fiber_values> values(
            std::exchange(hub_->ended_values_, hub_->ended_values_->next));
    }
    hub_->yield();
    idle_looked();
}

/// A call of notify() in between is not lost: before it waits again, the idle guest looks at what
/// others have woken.
void guests::idle_looked() noexcept {
    ended_ = 0;
    idle_at_ = cycle_counter();
    notified_.exchange(false, std::memory_order_seq_cst);
}

void guests::wait(std::chrono::steady_clock::time_point until) noexcept {
    if (hub_->ended_values_ != nullptr) {
        turn(); // in which any may have become able to run
        return;
    }
    const ticket t = hub_->prepare();
    // notify() does these two the other way round.
    waiting_.store(t.value, std::memory_order_seq_cst);
    if (!notified_.exchange(false, std::memory_order_seq_cst) || !hub_core::withdraw(t)) {
        hub_->park(t, {wait_kind::other, "Boost.Fiber fibers", -1, nullptr, false}, until);
    }
    idle_looked();
    waiting_.store(0, std::memory_order_relaxed);
}

void guests::end_wait() noexcept {
    hub_core::wake_up({idle_guest.record, waiting_.load(std::memory_order_relaxed)}, wake::ready);
}

void guests::notify() noexcept {
    // A scheduler that shuts down says it to itself, again and again.
    if (hub_core::current_or_null() == hub_ && hub_->running_ == idle_guest.record) {
        return;
    }
    notified_.store(true, std::memory_order_seq_cst);
    if (const std::uint64_t t = waiting_.load(std::memory_order_seq_cst); t != 0) {
        hub_core::wake_up({idle_guest.record, t}, wake::ready);
    }
}

void guests::woken(guest_fiber& guest) noexcept {
    guest.parked = false;
    ready(guest);
    can_run();
}

/// In the child, where only the flow that forked goes on: the idle guest lost its place in all
/// queues. If a guest forked, the idle one does not wait now.
void guests::forked() noexcept {
    if (hub_fiber_runs()) {
        hub_->void_tickets(*idle_guest.record);
        waiting_.store(0, std::memory_order_relaxed);
    }
}

} // namespace tendril::detail
