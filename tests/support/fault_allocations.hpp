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
#else
#define TENDRIL_REAL(name) __libc_##name
#endif

extern "C" {
void* TENDRIL_REAL(malloc)(std::size_t);
void* TENDRIL_REAL(calloc)(std::size_t, std::size_t);
void* TENDRIL_REAL(realloc)(void*, std::size_t);
void* TENDRIL_REAL(memalign)(std::size_t, std::size_t);
void TENDRIL_REAL(free)(void*);
}

namespace tendril::test::faults::inside {

/// Registering the destructor of a thread_local object ends the process when calloc fails: "Fatal
/// glibc error: failed to register TLS destructor" (stdlib/cxa_thread_atexit_impl.c).
inline bool called_by_tls_registration(const void* caller) noexcept {
    static const char* const start = [] {
        const exempt_scope scope;
        return static_cast<const char*>(::dlsym(RTLD_DEFAULT, "__cxa_thread_atexit_impl"));
    }();
    const auto* at = static_cast<const char*>(caller);
    return start != nullptr && at > start && at < start + 512;
}

inline bool allocation_fails(const char* function, const void* caller) noexcept {
    if (!armed.load(std::memory_order_acquire) || exempt != 0 || current.what != kind::allocation ||
        called_by_tls_registration(caller)) {
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

} // namespace tendril::test::faults::inside

#pragma GCC visibility push(default)

extern "C" {

void* malloc(std::size_t size) noexcept {
    namespace f = tendril::test::faults::inside;
    if (f::allocation_fails("malloc", __builtin_return_address(0))) {
        return nullptr;
    }
    return f::counted(TENDRIL_REAL(malloc)(size));
}

void* calloc(std::size_t count, std::size_t size) noexcept {
    namespace f = tendril::test::faults::inside;
    if (f::allocation_fails("calloc", __builtin_return_address(0))) {
        return nullptr;
    }
    return f::counted(TENDRIL_REAL(calloc)(count, size));
}

void* realloc(void* block, std::size_t size) noexcept {
    namespace f = tendril::test::faults::inside;
    if (size != 0 && f::allocation_fails("realloc", __builtin_return_address(0))) {
        return nullptr;
    }
    f::discounted(block);
    void* const now = TENDRIL_REAL(realloc)(block, size);
    if (now == nullptr && size != 0) {
        return f::counted(block), nullptr;
    }
    return f::counted(now);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    namespace f = tendril::test::faults::inside;
    if (f::allocation_fails("memalign", __builtin_return_address(0))) {
        return nullptr;
    }
    return f::counted(TENDRIL_REAL(memalign)(alignment, size));
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return memalign(alignment, size);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
    const int saved = errno;
    void* const made = memalign(alignment, size);
    errno = saved;
    if (made == nullptr) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

void free(void* block) noexcept {
    tendril::test::faults::inside::discounted(block);
    TENDRIL_REAL(free)(block);
}

} // extern "C"

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
