// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"
#include "fiber/context.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tendril::detail {

class hub_core;
class task;
class fiber_values;
struct stack;
struct fiber_record;
struct wait_reason;
struct cancel_scope;
struct cancel_request;

/// Why a wait ended. The values are the states of the ticket word above `waiting`.
enum class wake : std::uint8_t {
    ready = 2,
    timeout = 3,
    closed = 4,
    cancelled = 5,
    interrupted = 6 ///< by a signal handler
};

inline constexpr std::uint64_t ticket_state_mask = 7;
inline constexpr std::uint64_t ticket_waiting = 1;

/// The right to end one particular wait of one fiber. Copies compete: one CAS decides.
struct ticket {
    fiber_record* fiber = nullptr;
    std::uint64_t value = 0;
};

/// The part of a record that few switches look at. Apart, so that the hot parts lie one cache line
/// after the other; and not on the fiber's stack, because 100,000 deadlines in dense memory take
/// four fifths of the time of those on cold stacks.
struct fiber_extra : timer {       ///< the timer is the deadline of the present wait, if it has one
    fiber_record* owner = nullptr; ///< set once
    std::size_t stack_size = 0;
    cancel_scope* scopes = nullptr;      ///< the innermost of its timeouts and shields
    cancel_request* cancelled = nullptr; ///< owned
    fiber_values* values = nullptr;      ///< what the fiber keeps until it ends, if anything
    std::uint64_t parent = 0;            ///< for dumps: the id of who spawned it
    const void* spawned_at = nullptr;    ///< for dumps: the code that did
};

/// The scheduler's side of a fiber. Type-stable: recycled by its hub, never freed, and its ticket
/// word never goes back, so a waker that comes late finds a word that is not its own and leaves.
/// lib/README.md has the table of who may touch what when.
struct alignas(64) fiber_record {
    /// epoch << 3 | state. States: 0 running or runnable, 1 waiting, else a `wake`.
    std::atomic<std::uint64_t> word{0};

    fiber_record* next = nullptr; ///< in the run queue, backlog, inbox or free list: one at a time
    hub_core* home = nullptr;     ///< set once
    saved_context context;        ///< while suspended
    stack* stk = nullptr;         ///< null until the fiber first runs
    task* job = nullptr;          ///< null in the free list and for a main fiber
    const wait_reason* waiting = nullptr; ///< for dumps, while parked
    fiber_extra* extra = nullptr;         ///< set once
};
static_assert(sizeof(fiber_record) == 64);

} // namespace tendril::detail
