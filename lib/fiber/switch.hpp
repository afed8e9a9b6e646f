// SPDX-License-Identifier: BSL-1.0
#pragma once

// How switch_context works. Included by context.cpp, and where a switch must be inlined.
//
// This is Boost.Context without its class `fiber`, which can be made only by switching to the new
// stack and back, and which would unwind a stack that it is destroyed with. Calls and returns pair
// up, so that the CPU predicts every return (a mispredicted one costs as much as the rest of a
// switch):
// - A suspended flow is resumed by ontop_fcontext: the function that it calls there returns to
//   whom the CPU expects, because all switches are made at one place (hub_core::resume).
// - A flow begins by jump_fcontext, which jumps, and so does the end of enter_stack().

#include "fiber/record.hpp"
#include "fiber/stack.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>
#include <cstdint>

#ifdef TENDRIL_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TENDRIL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace tendril::detail {

namespace boost_context = boost::context::detail;

/// What a suspended flow needs when it goes on. Its address escapes into the switch, which keeps it
/// out of registers that would be saved twice.
struct suspended_flow {
    thread_cells* cells;
    saved_context* from;
    exception_globals exceptions;
    int error;
};

/// The first function on a stack: runs what is to run there, and leaves it for good.
boost_context::transfer_t enter_stack(boost_context::transfer_t by);

/// The mark of a flow that has not begun. Contexts are aligned addresses.
inline constexpr std::uintptr_t not_begun = 1;

/// A flow that will call `cells.run(s)` when it is first switched to.
inline saved_context begin_context(stack& s) noexcept {
    const auto size = static_cast<std::size_t>(s.top() - s.base);
#ifdef TENDRIL_TSAN
    if (s.tsan_fiber == nullptr) {
        s.tsan_fiber = __tsan_create_fiber(0);
    }
#endif
    // It never returns, so its type does not matter.
    const auto enter = reinterpret_cast<void (*)(boost_context::transfer_t)>(
        reinterpret_cast<void (*)()>(&enter_stack));
    void* context = boost_context::make_fcontext(s.top(), size, enter);
    return {reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(context) | not_begun)};
}

inline bool has_begun(const saved_context& c) noexcept {
    return (reinterpret_cast<std::uintptr_t>(c.handle) & not_begun) == 0;
}

inline void* first_context(const saved_context& c) noexcept {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(c.handle) & ~not_begun);
}

/// Runs on the stack that is resumed, when the one before is already suspended.
[[gnu::aligned(32)]] inline boost_context::transfer_t
resumed(boost_context::transfer_t by) noexcept {
    static_cast<suspended_flow*>(by.data)->from->handle = by.fctx;
    return by;
}

using on_top_function = boost_context::transfer_t (*)(boost_context::transfer_t);

inline void switch_context_inline(thread_cells& cells, saved_context& from,
                                  fiber_record& next) noexcept {
    suspended_flow flow{&cells, &from, *cells.exceptions, *cells.error};
#ifdef TENDRIL_ASAN
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, next.stk->base, next.stk->size);
#endif
#ifdef TENDRIL_TSAN
    __tsan_switch_to_fiber(next.stk->tsan_fiber, 0);
#endif
    if (has_begun(next.context)) [[likely]] {
        boost_context::ontop_fcontext(next.context.handle, &flow,
                                      reinterpret_cast<on_top_function>(cells.on_top));
    } else {
        cells.from = &from;
        cells.begins_on = next.stk;
        boost_context::jump_fcontext(first_context(next.context), &cells);
    }
#ifdef TENDRIL_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
    if (flow.cells->arrived != nullptr) { // not before the sanitizer knows the stack
        flow.cells->arrived();
    }
#endif
    *flow.cells->exceptions = flow.exceptions;
    *flow.cells->error = flow.error;
}

} // namespace tendril::detail
