// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

namespace tendril::detail {

struct stack;

/// A suspended flow of control. It owns nothing: the switch that resumes it consumes it, and it is
/// never destroyed otherwise (Boost would unwind the stack by force, which aborts in noexcept frames
/// and in `catch (...)`).
struct context {
    void* handle = nullptr;        ///< Boost.Context's, while suspended
    void* tsan_fiber = nullptr;    ///< ThreadSanitizer's name for this flow
    const void* bottom = nullptr;  ///< lowest usable address, for AddressSanitizer
    std::size_t size = 0;          ///< usable bytes above bottom
};

/// The flow that runs on a thread's own stack.
void adopt_thread_context(context& c) noexcept;

/// Makes a fresh stack's context, which will call `loop(s)` when first switched to. The loop must
/// never return.
void make_context(stack& s, void (*loop)(stack&) noexcept) noexcept;

/// Suspends the running flow into `from` and goes on at `to`. Returns when somebody switches back.
/// What is per flow and lives in thread-local storage is saved here: errno, and the C++ ABI's
/// exception globals (a flow may be suspended inside a catch block while another throws).
void switch_context(context& from, context& to) noexcept;

/// The stack that `c` runs on goes to another owner for good or is unmapped.
void retire_context(context& c) noexcept;

} // namespace tendril::detail
