// SPDX-License-Identifier: BSL-1.0
// The only user of Boost.Context. Compiled without sanitizers, because its functions return on
// another stack than they were called on; it tells them about the switches itself.
#include "fiber/context.hpp"

#include "fiber/stack.hpp"

#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>

#include <cerrno>
#include <cxxabi.h>
#include <new>
#include <pthread.h>
#include <utility>

#ifdef TENDRIL_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TENDRIL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace tendril::detail {
namespace {

namespace boost_context = boost::context;

/// Itanium C++ ABI, exception handling, 2.2.2: what __cxa_get_globals() points to.
struct exception_globals {
    void* caught;
    unsigned uncaught;
};

/// Fibers never leave their thread, so the addresses are looked up once per thread.
struct thread_cells {
    int* error = nullptr;
    exception_globals* exceptions = nullptr;
};
thread_local constinit thread_cells cells [[gnu::tls_model("initial-exec")]];

/// Made in place and moved from, but never destroyed: see context.
static_assert(sizeof(boost_context::fiber) == sizeof(context::handle));

void put(context& c, boost_context::fiber&& f) noexcept {
    ::new (static_cast<void*>(&c.handle)) boost_context::fiber(std::move(f));
}

boost_context::fiber take(context& c) noexcept {
    return std::move(*std::launder(reinterpret_cast<boost_context::fiber*>(&c.handle)));
}

/// Our stacks have an owner already.
struct no_allocator {
    static void deallocate(boost_context::stack_context&) noexcept {}
};

} // namespace

void adopt_thread_context(context& c) noexcept {
    cells.error = &errno;
    cells.exceptions = reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
#ifdef TENDRIL_TSAN
    c.tsan_fiber = __tsan_get_current_fiber();
#endif
#ifdef TENDRIL_ASAN
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        void* bottom = nullptr;
        pthread_attr_getstack(&attributes, &bottom, &c.size);
        pthread_attr_destroy(&attributes);
        c.bottom = bottom;
    }
#endif
    (void)c;
}

void make_context(stack& s, void (*loop)(stack&) noexcept) noexcept {
    boost_context::stack_context memory;
    memory.sp = s.top();
    memory.size = static_cast<std::size_t>(s.top() - s.base);
    put(s.ctx, boost_context::fiber(
                   std::allocator_arg, boost_context::preallocated(memory.sp, memory.size, memory),
                   no_allocator{}, [&s, loop](boost_context::fiber&& none) {
#ifdef TENDRIL_ASAN
                       __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
                       *cells.error = 0;
                       *cells.exceptions = exception_globals{};
                       loop(s);
                       return std::move(none); // not reached
                   }));
    s.ctx.bottom = s.base;
    s.ctx.size = memory.size;
#ifdef TENDRIL_TSAN
    if (s.ctx.tsan_fiber == nullptr) {
        s.ctx.tsan_fiber = __tsan_create_fiber(0);
    }
#endif
}

void switch_context(context& from, context& to) noexcept {
    thread_cells& mine = cells;
    const int saved_error = *mine.error;
    const exception_globals saved_exceptions = *mine.exceptions;
#ifdef TENDRIL_ASAN
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, to.bottom, to.size);
#endif
#ifdef TENDRIL_TSAN
    __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
    // The lambda runs on the stack that is resumed, when this one is already suspended.
    auto none = take(to).resume_with([&from](boost_context::fiber&& suspended) noexcept {
        put(from, std::move(suspended));
        return boost_context::fiber();
    });
    (void)none;
#ifdef TENDRIL_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
    *mine.exceptions = saved_exceptions;
    *mine.error = saved_error;
}

void retire_context(context& c) noexcept {
#ifdef TENDRIL_TSAN
    if (c.tsan_fiber != nullptr) {
        __tsan_destroy_fiber(c.tsan_fiber);
    }
#endif
    c = context{};
}

} // namespace tendril::detail
