// SPDX-License-Identifier: BSL-1.0
#pragma once

// What <tendril/context_value.hpp> is built on. Nothing here is for direct use.

#include <tendril/export.hpp>

#include <atomic>
#include <cstdint>

namespace tendril {
namespace detail {

/// One value of a context: a list that only grows at its head, whose tails many fibers share.
struct context_entry {
    context_entry() = default;
    context_entry(const context_entry&) = delete;
    context_entry& operator=(const context_entry&) = delete;
    virtual ~context_entry() = default;

    std::uint64_t key = 0;
    context_entry* outer = nullptr; ///< one reference
    std::atomic<std::uint64_t> references{1};
};

inline context_entry* keep(context_entry* e) noexcept {
    if (e != nullptr) {
        e->references.fetch_add(1, std::memory_order_relaxed);
    }
    return e;
}

/// Gives a reference back; the last one ends the entry, and so on outwards.
inline void leave(context_entry* e) noexcept {
    while (e != nullptr && e->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        context_entry* const outer = e->outer;
        delete e;
        e = outer;
    }
}

/// The innermost one for the key in the calling fiber's context, or null.
TENDRIL_EXPORT const context_entry* find_context(std::uint64_t key) noexcept;
/// Takes over the entry, which ends if this throws std::bad_alloc.
TENDRIL_EXPORT void push_context(context_entry* e);
/// Undoes that. It has to be the innermost one: else says so and terminates.
TENDRIL_EXPORT void pop_context(context_entry* e) noexcept;

} // namespace detail
} // namespace tendril
