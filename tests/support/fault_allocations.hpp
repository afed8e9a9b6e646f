// SPDX-License-Identifier: BSL-1.0
#pragma once

// Replaces malloc and its like, and under sanitizers operator new, in the one program file that
// includes this. See faults.hpp.

#include "support/faults.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(TENDRIL_ASAN) || defined(TENDRIL_TSAN)
#define TENDRIL_REAL(name) __interceptor_##name
// The sanitizer's runtime allocates before it can serve code that it instruments.
#define TENDRIL_EARLY [[gnu::no_sanitize("address", "undefined", "thread")]]
#define TENDRIL_IF_EARLY(...)                                                                      \
    if (!tendril::test::faults::inside::begun) {                                                   \
        __VA_ARGS__;                                                                               \
    }
#else
#define TENDRIL_REAL(name) __libc_##name
#define TENDRIL_EARLY
#define TENDRIL_IF_EARLY(...)
#endif

extern "C" {
void* TENDRIL_REAL(malloc)(std::size_t);
void* TENDRIL_REAL(calloc)(std::size_t, std::size_t);
void* TENDRIL_REAL(realloc)(void*, std::size_t);
void* TENDRIL_REAL(memalign)(std::size_t, std::size_t);
void TENDRIL_REAL(free)(void*);
}

namespace tendril::test::faults::inside {

inline bool called_by(const char* function, const void* caller) noexcept {
    const exempt_scope scope;
    const auto* const start = static_cast<const char*>(::dlsym(RTLD_DEFAULT, function));
    const auto* at = static_cast<const char*>(caller);
    return start != nullptr && at > start && at < start + 1024;
}

/// Registering the destructor of a thread_local object ends the process when calloc fails: "Fatal
/// glibc error: failed to register TLS destructor" (stdlib/cxa_thread_atexit_impl.c).
inline bool must_succeed(const void* caller) noexcept {
    return called_by("__cxa_thread_atexit_impl", caller);
}

inline constinit bool begun = false;
[[gnu::used]] inline const bool begins = begun = true;

inline bool allocation_fails(const char* function, const void* caller) noexcept {
    if (!armed.load(std::memory_order_acquire) || exempt != 0 || current.what != kind::allocation ||
        must_succeed(caller)) {
        return false;
    }
    if (due(kind::allocation, function)) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

inline void* counted(void* block) noexcept {
    live_blocks.fetch_add(block != nullptr && exempt == 0 ? 1 : 0, std::memory_order_relaxed);
    return block;
}

inline void discounted(const void* block) noexcept {
    live_blocks.fetch_sub(block != nullptr && exempt == 0 ? 1 : 0, std::memory_order_relaxed);
}

template <typename Allocate>
void* checked(const char* function, const void* caller, Allocate allocate) noexcept {
    return allocation_fails(function, caller) ? nullptr : counted(allocate());
}

inline void* checked_realloc(void* block, std::size_t size, const void* caller) noexcept {
    if (size != 0 && allocation_fails("realloc", caller)) {
        return nullptr;
    }
    void* const now = TENDRIL_REAL(realloc)(block, size);
    if (now != nullptr || size == 0) {
        discounted(block);
        counted(now);
    }
    return now;
}

} // namespace tendril::test::faults::inside

#pragma GCC visibility push(default)

extern "C" {

TENDRIL_EARLY void* malloc(std::size_t size) noexcept {
    TENDRIL_IF_EARLY(return TENDRIL_REAL(malloc)(size))
    return tendril::test::faults::inside::checked("malloc", __builtin_return_address(0),
                                                  [&] { return TENDRIL_REAL(malloc)(size); });
}

TENDRIL_EARLY void* calloc(std::size_t count, std::size_t size) noexcept {
    TENDRIL_IF_EARLY(return TENDRIL_REAL(calloc)(count, size))
    return tendril::test::faults::inside::checked(
        "calloc", __builtin_return_address(0), [&] { return TENDRIL_REAL(calloc)(count, size); });
}

TENDRIL_EARLY void* realloc(void* block, std::size_t size) noexcept {
    TENDRIL_IF_EARLY(return TENDRIL_REAL(realloc)(block, size))
    return tendril::test::faults::inside::checked_realloc(block, size, __builtin_return_address(0));
}

TENDRIL_EARLY void* memalign(std::size_t alignment, std::size_t size) noexcept {
    TENDRIL_IF_EARLY(return TENDRIL_REAL(memalign)(alignment, size))
    return tendril::test::faults::inside::checked("memalign", __builtin_return_address(0), [&] {
        return TENDRIL_REAL(memalign)(alignment, size);
    });
}

TENDRIL_EARLY void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return memalign(alignment, size);
}

TENDRIL_EARLY int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
    void* const made = memalign(alignment, size);
    if (made == nullptr) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

TENDRIL_EARLY void free(void* block) noexcept {
    TENDRIL_IF_EARLY(return TENDRIL_REAL(free)(block))
    tendril::test::faults::inside::discounted(block);
    TENDRIL_REAL(free)(block);
}

} // extern "C"

#ifdef TENDRIL_ASAN
#include <pthread.h>
/// Without the bounds of the main stack AddressSanitizer takes what is on it for lost.
extern "C" int pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) noexcept {
    const tendril::test::faults::exempt_scope scope;
    return tendril::test::faults::replaced<int(pthread_t, pthread_attr_t*)>("pthread_getattr_np")(
        thread, attributes);
}
#endif

#if defined(TENDRIL_ASAN) || defined(TENDRIL_TSAN)
// The sanitizers' own do not go through malloc.
void* operator new(std::size_t size) {
    if (void* block = std::malloc(size)) {
        return block;
    }
    throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
    return ::operator new(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return std::malloc(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return std::malloc(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    if (void* block = memalign(static_cast<std::size_t>(alignment), size)) {
        return block;
    }
    throw std::bad_alloc();
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return ::operator new(size, alignment);
}
void* operator new(std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
    return memalign(static_cast<std::size_t>(a), size);
}
void* operator new[](std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
    return memalign(static_cast<std::size_t>(a), size);
}
void operator delete(void* block) noexcept {
    std::free(block);
}
void operator delete[](void* block) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
    std::free(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
    std::free(block);
}
void operator delete[](void* block, std::align_val_t) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
    std::free(block);
}
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept {
    std::free(block);
}
#endif

#pragma GCC visibility pop
