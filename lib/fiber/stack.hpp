// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/context.hpp"

#include <cstddef>
#include <cstdint>

namespace tendril::detail {

struct fiber_record;

/// Descriptor of a fiber stack. It lies at the top of the stack's own memory, in the page that the
/// first frame touches anyway. A pooled stack keeps its context, parked in the loop that runs one
/// fiber after the other (context.hpp), so reuse makes nothing anew.
struct stack {
    saved_context idle;         ///< in the loop between two fibers, while no fiber runs on it
    void* tsan_fiber = nullptr; ///< ThreadSanitizer's name for the flow on this stack
    stack* next_free = nullptr; ///< in a pool's free list
    std::byte* base = nullptr;  ///< lowest address, where the guard starts
    std::size_t size = 0;       ///< base to the end, guard and this descriptor included
    bool guarded = false;       ///< by the kernel; otherwise by a canary
    bool entered = false;       ///< its context exists (a fiber ran on it before)

    std::byte* top() noexcept { return reinterpret_cast<std::byte*>(this); } ///< first frame below
};

inline constexpr std::size_t default_stack_size = std::size_t{256} << 10;
inline constexpr std::size_t maximum_stack_size = std::size_t{64} << 30;
inline constexpr std::size_t guard_size = std::size_t{16} << 10;

std::size_t minimum_stack_size() noexcept; ///< a whole number of pages, guard included

struct stack_statistics {
    std::size_t live = 0;      ///< handed out
    std::size_t pooled = 0;    ///< waiting for reuse
    std::size_t unguarded = 0; ///< made after the kernel refused more guard pages
};

/// A hub's stacks, carved from slabs and reused last in, first out. One thread only.
class stack_pool {
public:
    stack_pool() noexcept;
    ~stack_pool(); ///< unmaps the slabs all of whose stacks are back
    stack_pool(const stack_pool&) = delete;
    stack_pool& operator=(const stack_pool&) = delete;

    /// A stack of at least `size` bytes (rounded up to a size class); null when the address space
    /// or a limit is exhausted.
    stack* acquire(std::size_t size) noexcept;
    /// What acquire makes of a size: the `size` of the stack that it returns.
    static std::size_t rounded(std::size_t size) noexcept;
    void release(stack* s) noexcept;

    /// Checks the canary of an unguarded stack; a damaged one is reported and the process aborts.
    static void check_canary(const stack& s, const fiber_record& who) noexcept;

    stack_statistics statistics() const noexcept;

private:
    struct impl;
    impl* impl_;
};

} // namespace tendril::detail
