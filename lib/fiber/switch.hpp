// SPDX-License-Identifier: BSL-1.0
#pragma once

// How switch_context works. Included by context.cpp, and where a switch must be inlined.

#include "fiber/stack.hpp"

#include <boost/context/fiber.hpp>

#include <new>
#include <utility>

#ifdef TENDRIL_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TENDRIL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace tendril::detail {

/// Made in place and moved from, but never destroyed: see saved_context.
static_assert(sizeof(boost::context::fiber) == sizeof(saved_context));

inline void put_context(saved_context& c, boost::context::fiber&& f) noexcept {
    ::new (static_cast<void*>(&c.handle)) boost::context::fiber(std::move(f));
}

inline boost::context::fiber take_context(saved_context& c) noexcept {
    return std::move(*std::launder(reinterpret_cast<boost::context::fiber*>(&c.handle)));
}

/// What a suspended flow needs when it goes on. Its address escapes into the switch, which keeps it
/// out of registers that would be saved twice.
struct suspended_flow {
    thread_cells* cells;
    saved_context* from;
    exception_globals exceptions;
    int error;
};

inline void switch_context_inline(thread_cells& cells, saved_context& from, saved_context& to,
                                  [[maybe_unused]] const stack& on) noexcept {
    suspended_flow flow{&cells, &from, *cells.exceptions, *cells.error};
#ifdef TENDRIL_ASAN
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, on.base, on.size);
#endif
#ifdef TENDRIL_TSAN
    __tsan_switch_to_fiber(on.tsan_fiber, 0);
#endif
    // The lambda runs on the stack that is resumed, when this one is already suspended. With plain
    // resume() a flow would have to save its predecessor's context on arrival, and the return out
    // of here would be mispredicted: this way calls and returns pair up (10 against 60 ns).
    auto none = take_context(to).resume_with([&flow](boost::context::fiber&& suspended) noexcept {
        put_context(*flow.from, std::move(suspended));
        return boost::context::fiber();
    });
    (void)none;
#ifdef TENDRIL_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
    *flow.cells->exceptions = flow.exceptions;
    *flow.cells->error = flow.error;
}

} // namespace tendril::detail
