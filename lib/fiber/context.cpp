// SPDX-License-Identifier: BSL-1.0
// Compiled without sanitizers, because its functions return on another stack than they were called
// on; it tells them about the switches itself.
#include "fiber/context.hpp"

#include "fiber/switch.hpp"

#include <cerrno>
#include <cxxabi.h>
#include <pthread.h>

namespace tendril::detail {
namespace {

boost_context::transfer_t resumed_for_good(boost_context::transfer_t by) noexcept {
    return by;
}

#ifndef TENDRIL_ASAN
boost_context::transfer_t resumed_and_told(boost_context::transfer_t by) noexcept {
    resumed(by);
    static_cast<suspended_flow*>(by.data)->cells->arrived();
    return by;
}

boost_context::transfer_t resumed_for_good_and_told(boost_context::transfer_t by) noexcept {
    static_cast<thread_cells*>(by.data)->arrived();
    return by;
}
#endif

/// The flow that begins takes over from whoever switched to it. Returns its stack.
stack& arrive(boost_context::transfer_t by) noexcept {
    thread_cells& cells = *static_cast<thread_cells*>(by.data);
    if (cells.from != nullptr) {
        cells.from->handle = by.fctx;
    }
#ifdef TENDRIL_ASAN
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
    *cells.error = 0; // as of a new thread
    *cells.exceptions = exception_globals{};
    return *cells.begins_on;
}

} // namespace

boost_context::transfer_t enter_stack(boost_context::transfer_t by) {
    thread_cells& cells = *static_cast<thread_cells*>(by.data);
    const fiber_record& next = cells.run(arrive(by));
#ifdef TENDRIL_ASAN
    __sanitizer_start_switch_fiber(nullptr, next.stk->base, next.stk->size);
#endif
#ifdef TENDRIL_TSAN
    __tsan_switch_to_fiber(next.stk->tsan_fiber, 0);
#endif
    // Each of these is the last thing that happens here, and so becomes a jump.
    if (has_begun(next.context)) [[likely]] {
        return boost_context::ontop_fcontext(
            next.context.handle, &cells, reinterpret_cast<on_top_function>(cells.on_top_for_good));
    }
    cells.from = nullptr;
    cells.begins_on = next.stk;
    return boost_context::jump_fcontext(first_context(next.context), &cells);
}

void adopt_thread(thread_cells& cells, [[maybe_unused]] stack& s,
                  fiber_record& (*run)(stack& s) noexcept) noexcept {
    cells.error = &errno;
    cells.exceptions = reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
    cells.run = run;
    tell_arrivals(cells, nullptr);
#ifdef TENDRIL_TSAN
    s.tsan_fiber = __tsan_get_current_fiber();
#endif
#ifdef TENDRIL_ASAN
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        void* base = nullptr;
        pthread_attr_getstack(&attributes, &base, &s.size);
        pthread_attr_destroy(&attributes);
        s.base = static_cast<std::byte*>(base);
    }
#endif
}

void tell_arrivals(thread_cells& cells, void (*arrived)() noexcept) noexcept {
    on_top_function on_top = &resumed;
    on_top_function for_good = &resumed_for_good;
#ifndef TENDRIL_ASAN
    if (arrived != nullptr) {
        on_top = &resumed_and_told;
        for_good = &resumed_for_good_and_told;
    }
#endif
    cells.arrived = arrived;
    cells.on_top = reinterpret_cast<void (*)()>(on_top);
    cells.on_top_for_good = reinterpret_cast<void (*)()>(for_good);
}

void switch_context(thread_cells& cells, saved_context& from, fiber_record& next) noexcept {
    switch_context_inline(cells, from, next);
}

void retire_context([[maybe_unused]] stack& s) noexcept {
#ifdef TENDRIL_TSAN
    if (s.tsan_fiber != nullptr) {
        __tsan_destroy_fiber(s.tsan_fiber);
        s.tsan_fiber = nullptr;
    }
#endif
}

} // namespace tendril::detail
