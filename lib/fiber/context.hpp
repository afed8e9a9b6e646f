// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tendril::detail {

struct stack;
struct fiber_record;

/// Where a suspended flow of control goes on. It owns nothing: the switch that resumes it consumes
/// it, and it is never destroyed otherwise (a parked stack is unwound by nobody but its fiber). Of
/// a fiber it is kept in the record, not on the stack: records lie densely, stack tops share few
/// cache sets.
struct saved_context {
    void* handle = nullptr;
};

/// Itanium C++ ABI, exception handling, 2.2.2: what __cxa_get_globals() points to.
struct exception_globals {
    void* caught;
    unsigned uncaught;
};

/// What every flow of a thread has of its own, but lives in thread-local storage: errno, and the
/// exception globals (a flow may be suspended inside a catch block while another throws). Fibers
/// never leave their thread, so the addresses are looked up once.
struct thread_cells {
    int* error = nullptr;
    exception_globals* exceptions = nullptr;

    /// What runs at the bottom of each fiber stack. Returns to whom the stack is left.
    fiber_record& (*run)(stack& s) noexcept = nullptr;

    // What is called on the stack of a flow that goes on, first of all: of types that only
    // switch.hpp knows. In place of a branch at each switch.
    void (*on_top)() = nullptr;
    void (*on_top_for_good)() = nullptr;  ///< the flow before has ended
    void (*arrived)() noexcept = nullptr; ///< what they are to tell

    // For the flow that begins: who was suspended for it, or null, and its stack.
    saved_context* from = nullptr;
    stack* begins_on = nullptr;
};

/// Describes the calling thread and its own stack, so that its flow can be switched from and to.
void adopt_thread(thread_cells& cells, stack& s, fiber_record& (*run)(stack& s) noexcept) noexcept;

/// From now on `arrived` is called at each switch to a flow that goes on, on its stack, before it
/// has its errno; not for one that begins. Null: no more.
void tell_arrivals(thread_cells& cells, void (*arrived)() noexcept) noexcept;

/// Suspends the running flow into `from` and goes on with `next`, which has a stack. Returns when
/// somebody switches back. Nothing here may use floating point: flows whose MXCSR differ cost 65 ns
/// a switch.
void switch_context(thread_cells& cells, saved_context& from, fiber_record& next) noexcept;

/// The memory of the stack is about to be given up.
void retire_context(stack& s) noexcept;

} // namespace tendril::detail
