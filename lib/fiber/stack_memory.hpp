// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/stack.hpp"

#include <cstddef>
#include <sys/types.h>

namespace tendril::detail {

/// What stacks ask of the kernel. Tests put failures in; nobody else writes to it.
struct stack_memory_calls {
    void* (*map)(void* where, std::size_t length, int protection, int flags, int fd, off_t offset);
    int (*unmap)(void* start, std::size_t length);
    int (*advise)(void* start, std::size_t length, int advice);
    int (*protect)(void* start, std::size_t length, int protection);
    int (*unlock)(const void* start, std::size_t length);
};
extern stack_memory_calls stack_memory;

/// A large mapping that stacks are carved from, one after the other from its low end.
struct slab {
    slab* next = nullptr;         ///< of the same pool
    std::byte* mapping = nullptr; ///< what mmap returned
    std::size_t mapped = 0;       ///< and how much of it
    std::byte* memory = nullptr;  ///< the part that stacks are in
    std::byte* unused = nullptr;  ///< where the next stack goes
    std::byte* end = nullptr;
    std::size_t carved = 0;
    std::size_t fences = 0;   ///< guards that cost mappings
    std::size_t returned = 0; ///< counted when the pool ends
};

std::size_t page_size() noexcept;
std::size_t guard_bytes() noexcept; ///< guard_size in whole pages

/// Address space for `count` stacks, or for as many of them as can be had; null if for none.
slab* map_slab(std::size_t stack_size, std::size_t count) noexcept;
void unmap_slab(slab* s) noexcept;

enum class guard_result : std::uint8_t { guarded, canary, out_of_memory };

/// Protects the lowest guard_bytes() at `base` in the best way that the kernel still allows.
guard_result guard_stack(std::byte* base, slab& in) noexcept;

bool canary_intact(const std::byte* base) noexcept;

/// Gives back all pages of a pooled stack but the ones at its top, where its context is parked.
void trim_stack(stack& s) noexcept;

} // namespace tendril::detail
