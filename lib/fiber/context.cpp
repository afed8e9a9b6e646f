// SPDX-License-Identifier: BSL-1.0
// Compiled without sanitizers, because its functions return on another stack than they were called
// on; it tells them about the switches itself.
#include "fiber/context.hpp"

#include "fiber/switch.hpp"

#include <boost/context/preallocated.hpp>

#include <cerrno>
#include <cxxabi.h>
#include <pthread.h>

namespace tendril::detail {
namespace {

/// Our stacks have an owner already.
struct no_allocator {
    static void deallocate(boost::context::stack_context&) noexcept {}
};

} // namespace

void adopt_thread(thread_cells& cells, [[maybe_unused]] stack& s) noexcept {
    cells.error = &errno;
    cells.exceptions = reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
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

void make_context(stack& s, thread_cells& cells, void (*loop)(stack&) noexcept) noexcept {
    boost::context::stack_context memory;
    memory.sp = s.top();
    memory.size = static_cast<std::size_t>(s.top() - s.base);
    put_context(s.idle, boost::context::fiber(
                            std::allocator_arg,
                            boost::context::preallocated(memory.sp, memory.size, memory),
                            no_allocator{}, [&s, &cells, loop](boost::context::fiber&& none) {
#ifdef TENDRIL_ASAN
                                __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
                                *cells.error = 0;
                                *cells.exceptions = exception_globals{};
                                loop(s);
                                return std::move(none); // not reached
                            }));
#ifdef TENDRIL_TSAN
    s.tsan_fiber = __tsan_create_fiber(0);
#endif
}

void switch_context(thread_cells& cells, saved_context& from, saved_context& to,
                    const stack& on) noexcept {
    switch_context_inline(cells, from, to, on);
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
