// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "sync/word_lock.hpp"

#include <tendril/detail/wait_queue.hpp>

#include <cstddef>
#include <optional>

namespace tendril::detail {

/// Takes out waiters, first come first, until one is won. It stands still until the caller, having
/// released the lock, makes it runnable. Null: nobody waits.
inline waiter* win_first(waiter*& first, wake why = wake::ready) noexcept {
    while (waiter* w = pop_waiter(first)) {
        if (hub_core::win(w->who, why)) {
            return w;
        }
    }
    return nullptr;
}

/// Fibers won under a lock, made runnable in their order at the end. Declare it before the lock.
class won_fibers {
public:
    won_fibers() noexcept = default;
    ~won_fibers() {
        while (fiber_record* r = first_) {
            first_ = r->next;
            hub_core::make_runnable(*r);
        }
    }
    won_fibers(const won_fibers&) = delete;
    won_fibers& operator=(const won_fibers&) = delete;

    void add(fiber_record& won) noexcept {
        won.next = nullptr;
        *last_ = &won;
        last_ = &won.next;
    }
    void add(ticket won) noexcept { add(*won.fiber); }

    void win_all(waiter*& first, wake why = wake::ready) noexcept {
        while (waiter* w = pop_waiter(first)) {
            if (fiber_record* const r = win_waiter(*w, why)) {
                add(*r);
            }
        }
    }

private:
    fiber_record* first_ = nullptr;
    fiber_record** last_ = &first_;
};

/// Begins a wait. In a file of its own, or gcc 12 warns of a pointer to the stack that is left
/// behind.
void enlist(waiter*& first, waiter& node, hub_core& hub, bool in_front = false) noexcept;

/// Parks the fiber, whose node is in `q`, and afterwards is not.
inline wake park_in(hub_core& hub, wait_queue& q, waiter& self, const wait_reason& why,
                    time_point deadline) noexcept {
    const wake end = hub.park(self.who, why, deadline);
    if (end != wake::ready && end != wake::closed) {
        const word_lock lock(q);
        remove_waiter(q.first, self);
    }
    return end;
}

inline bool is_past(hub_core& hub, time_point deadline) noexcept {
    return deadline == at_once || (deadline != never && deadline <= hub.now());
}

/// For what did not wait: whoever only looks, again and again, must not keep others from running.
inline void charge_turn() noexcept {
    if (hub_core* const hub = hub_core::current_or_null()) {
        hub->charge();
    }
}

/// What the caller of a wait that can be cancelled gets.
/// @throws std::system_error ECANCELED
outcome outcome_of(wake end, const wait_reason& why);

inline std::optional<outcome> done_if(bool done) noexcept {
    return done ? std::optional(outcome::done) : std::nullopt;
}

/// Waits in `q`, unless `without_waiting(lock)` has an answer. A deadline in the past only asks.
template <typename Ask>
outcome wait_unless(wait_queue& q, const char* what, time_point deadline, Ask without_waiting) {
    hub_core* const hub = deadline == at_once ? nullptr : &hub_core::current();
    const bool may_wait = hub != nullptr && !is_past(*hub, deadline);
    waiter node;
    {
        word_lock lock(q);
        if (const std::optional<outcome> answer = without_waiting(lock)) {
            return *answer;
        }
        if (may_wait) {
            enlist(q.first, node, *hub);
        }
    }
    if (!may_wait) {
        charge_turn();
        return outcome::timeout;
    }
    const wait_reason why{wait_kind::sync, what, -1, &q};
    return outcome_of(park_in(*hub, q, node, why, deadline), why);
}

[[noreturn]] void throw_error(int error, const char* what, const void* object);

/// How many fibers of the list could still go on.
std::size_t count_waiting(const waiter* first) noexcept;
[[noreturn]] void die_awaited(std::size_t waiting, const char* what, const void* object) noexcept;
bool outlived_by_process(const void* object) noexcept;

/// Who owns a lock: a fiber, or a thread in its main fiber or without a hub. Asking makes no hub,
/// and getting one changes nothing. A multiple of 16.
inline std::uint64_t current_owner() noexcept {
    hub_core* const hub = hub_core::current_or_null();
    const void* const owner = hub == nullptr || &hub->running() == &hub->main_fiber()
                                  ? hub_core::thread_mark()
                                  : &hub->running();
    return reinterpret_cast<std::uintptr_t>(owner);
}

/// Beside an owner in a word: it was handed to one who waited, and who has not run since.
/// Try_lock() may take it away, and the other waits on, as the first in line. Else fibers that
/// lock several mutexes by std::lock, which tries and backs off, could hand them around for ever.
/// (Java's fair locks let tryLock() do likewise.)
inline constexpr std::uint64_t handed_over = 8;

} // namespace tendril::detail
