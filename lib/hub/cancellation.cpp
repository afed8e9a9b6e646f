// SPDX-License-Identifier: BSL-1.0
// Who may end a fiber's waits, and when. All on the fiber's own thread, but for task::cancel.
#include "hub/cancellation.hpp"

#include "base/cycle_counter.hpp"
#include "hub/hub_core.hpp"
#include "hub/task_access.hpp"

#include <tendril/detail/cancelled.hpp>
#include <tendril/detail/scope.hpp>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

namespace tendril {
inline namespace v1 {

cancelled::~cancelled() = default;
timed_out::~timed_out() = default;

} // namespace v1

namespace detail {

interrupted::~interrupted() = default;

// ---------------------------------------------------------------------------------- to be asked

/// What ends the waits of a fiber: itself being cancelled, or a scope. Neither: nothing does.
struct hub_core::cause {
    const cancel_request* request = nullptr;
    cancel_scope* scope = nullptr;

    explicit operator bool() const noexcept { return request != nullptr || scope != nullptr; }
};

/// The outermost one counts, as far as no shield is in between. An exception on its way up the
/// stack runs destructors, out of which nothing may be thrown: then only scopes within these count,
/// which were entered when as many exceptions were on their way.
hub_core::cause hub_core::why_give_up(const fiber_record& r, unsigned uncaught) noexcept {
    cause found;
    for (cancel_scope* s = r.extra->scopes; s != nullptr; s = s->outer) {
        if (s->over && s->uncaught == uncaught) {
            found.scope = s;
        }
        if (s->shields) {
            return found;
        }
    }
    if (r.extra->cancelled != nullptr && uncaught == 0) {
        found = {r.extra->cancelled, nullptr};
    }
    return found;
}

/// Before the running fiber waits, when something on this hub was cancelled.
bool hub_core::must_give_up(const wait_reason& why, ticket t) noexcept {
    if (!why.cancellable) {
        return false;
    }
    const cause found = why_give_up(*running_, cells_.exceptions->uncaught);
    if (!found || !withdraw(t)) { // what another thread has given already is taken
        return false;
    }
    if (found.scope != nullptr) {
        found.scope->noticed = true;
    }
    return true;
}

void hub_core::notice() noexcept {
    if (cycle_counter() - polled_at_ > cycles_per_millisecond) {
        service();
    }
}

bool hub_core::is_given_up() noexcept {
    return given_up_ != 0 && static_cast<bool>(why_give_up(*running_, cells_.exceptions->uncaught));
}

void hub_core::throw_given_up() {
    throw_if_deadlocked();
    const cause found = why_give_up(*running_, cells_.exceptions->uncaught);
    if (found.scope != nullptr && found.scope->link != nullptr) {
        throw interrupted(found.scope->handle, found.scope->link->reason);
    }
    if (found.scope != nullptr) {
        throw timed_out(static_cast<const v1::timeout*>(found.scope->handle));
    }
    if (found.request != nullptr) {
        throw cancelled(found.request->reason);
    }
}

void throw_if_given_up() {
    if (hub_core* hub = hub_core::current_or_null(); hub != nullptr) {
        hub->throw_if_given_up();
    }
}

void throw_given_up(const std::string& doing) {
    throw_if_given_up();
    throw std::system_error(ECANCELED, std::system_category(), doing);
}

// ------------------------------------------------------------------------------------ to happen

/// Ends the present wait of a fiber, if it is one that ends for such a reason.
void hub_core::give_up_wait(fiber_record& r) noexcept {
    const std::uint64_t word = r.word.load(std::memory_order_acquire);
    if ((word & ticket_state_mask) != ticket_waiting || r.waiting == nullptr ||
        !r.waiting->cancellable) {
        return;
    }
    const cause found = why_give_up(r, r.waiting->uncaught);
    if (found && wake_up({&r, word}, wake::cancelled) && found.scope != nullptr) {
        found.scope->noticed = true;
    }
}

void hub_core::scope_is_over(cancel_scope& s) noexcept {
    if (s.shields) {
        s.shields = false;
    } else {
        s.over = true;
        ++given_up_;
    }
    give_up_wait(*s.owner);
}

void hub_core::end_scope(scope_link& link, std::string reason) noexcept {
    if (link.scope != nullptr && !link.scope->over && link.generation == generation()) {
        link.reason = std::move(reason);
        scope_is_over(*link.scope);
    }
}

void end_scope(const std::shared_ptr<scope_link>& link, hub_core& home, std::string reason) {
    if (&home == hub_core::current_or_null()) {
        home.end_scope(*link, std::move(reason));
        return;
    }
    auto request = std::make_unique<cancel_request>();
    request->reason = std::move(reason);
    request->scope = link;
    if (home.cancel_remote(*request)) {
        request.release();
    }
}

void hub_core::enter(cancel_scope& s, time_point until) noexcept {
    s.owner = running_;
    s.outer = std::exchange(running_->extra->scopes, &s);
    s.uncaught = cells_.exceptions->uncaught;
    s.fires = timer_of::scope;
    move_deadline(s, until);
}

void hub_core::move_deadline(cancel_scope& s, time_point until) noexcept {
    timers_.remove(s);
    if (s.over || until == never) {
        return;
    }
    s.deadline = until;
    timers_.insert(s);
}

void hub_core::leave(cancel_scope& s) noexcept {
    if (s.owner != running_ || running_->extra->scopes != &s) {
        std::fputs("tendril: a timeout or shield ends on another fiber than its own, or before one "
                   "that was made later\n",
                   stderr);
        std::terminate();
    }
    running_->extra->scopes = s.outer;
    timers_.remove(s);
    given_up_ -= s.over ? 1 : 0;
}

/// Takes over the request. Its reference may be the last one, and must not be dropped in the
/// midst of a switch: destructors of the program's would run there.
void hub_core::cancel(cancel_request& request) noexcept {
    if (request.scope != nullptr) {
        end_scope(*request.scope, std::move(request.reason));
        delete &request;
        return;
    }
    task& t = *request.job;
    fiber_record* const r = task_access::record(t);
    // An ended fiber's record may be another's. The first reason stays.
    if (r != nullptr && r->job == &t && r->extra->cancelled == nullptr) {
        r->extra->cancelled = &request;
        ++given_up_;
        give_up_wait(*r);
    } else {
        request.next = std::exchange(spent_, &request);
    }
}

/// In whatever fiber comes by; what ends with a last reference may wait, also when that fiber is
/// cancelled.
void hub_core::drop_spent_requests() noexcept {
    if (spent_ == nullptr) {
        return;
    }
    cancel_scope shield;
    shield.shields = true;
    enter(shield, never);
    while (cancel_request* const request = spent_) {
        spent_ = request->next;
        request->job->release();
        delete request;
    }
    leave(shield);
}

/// As long as it is still the running fiber, if it ran.
void hub_core::forget_cancellation(fiber_record& r) noexcept {
    if (cancel_request* const request = std::exchange(r.extra->cancelled, nullptr)) {
        --given_up_;
        request->job->release();
        delete request;
    }
}

/// Of a fiber that was cancelled before it began. What it was given ends here, as it would have
/// with the call; to destroy it may mean to wait.
void hub_core::end_unbegun(fiber_record& r) noexcept {
    cancel_scope shield;
    shield.shields = true;
    enter(shield, never);
    task_access::drop(*r.job);
    leave(shield);
    task_access::fail(*r.job, task_access::was_cancelled(*r.job, r.extra->cancelled->reason));
}

bool hub_core::cancel_remote(cancel_request& request) noexcept {
    if (!mailbox_.requests.push(&request)) {
        return false;
    }
    notify();
    return true;
}

void task_access::cancel(task& t, std::string reason) {
    auto request = std::make_unique<cancel_request>(cancel_request{&t, std::move(reason)});
    hub_core* const home = task_access::home(t);
    if (home == nullptr || is_done(t)) {
        return;
    }
    add_reference(t);
    // What is still on its way here must be overtaken by nothing.
    if (home == hub_core::current_or_null() && record(t) != nullptr) {
        home->cancel(*request.release());
    } else if (home->cancel_remote(*request)) {
        request.release();
    } else { // the hub has ended, and its fibers with it
        t.release();
    }
}

void task::cancel(std::string reason) {
    task_access::cancel(*this, std::move(reason));
}

// --------------------------------------------------------------------------------- public scopes

static_assert(sizeof(cancel_scope) <= 96 && alignof(cancel_scope) <= 8);

scope::scope(kind what, std::chrono::steady_clock::time_point until) {
    auto* s = ::new (static_cast<void*>(storage_)) cancel_scope;
    s->handle = this;
    s->shields = what == kind::shields;
    hub_core::current().enter(*s, until);
}

scope::~scope() {
    hub_core* const hub = hub_core::current_or_null();
    if (hub != nullptr) { // null: the thread ends and has forgotten all
        hub->leave(get());
    }
}

void scope::move_deadline(std::chrono::steady_clock::time_point until) {
    hub_core::current().move_deadline(get(), until);
}

bool scope::is_over() const noexcept {
    if (hub_core* const hub = hub_core::current_or_null(); hub != nullptr && !get().over) {
        hub->notice();
    }
    return get().over;
}

bool scope::ended_a_wait() const noexcept {
    return get().noticed;
}

cancel_scope& scope::get() const noexcept {
    return *std::launder(reinterpret_cast<cancel_scope*>(const_cast<unsigned char*>(storage_)));
}

} // namespace detail
} // namespace tendril
