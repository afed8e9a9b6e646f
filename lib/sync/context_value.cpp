// SPDX-License-Identifier: BSL-1.0
#include "hub/fiber_values.hpp"

#include <tendril/detail/context_entry.hpp>

#include <cstdio>
#include <exception>
#include <memory>

namespace tendril::detail {

const context_entry* find_context(std::uint64_t key) noexcept {
    if (!context_in_use.load(std::memory_order_relaxed)) {
        return nullptr;
    }
    const fiber_values* const all = current_values(false);
    const context_entry* e = all != nullptr ? all->context : nullptr;
    while (e != nullptr && e->key != key) {
        e = e->outer;
    }
    return e;
}

void push_context(context_entry* e) {
    std::unique_ptr<context_entry> owned(e);
    fiber_values* const all = current_values(true);
    owned->outer = all->context;
    all->context = owned.release();
    context_in_use.store(true, std::memory_order_relaxed);
}

void pop_context(context_entry* e) noexcept {
    fiber_values* const all = current_values(false);
    if (all == nullptr || all->context != e) {
        std::fputs("tendril: the scope of a context_value ends on another fiber than its own, or "
                   "before one that was made later\n",
                   stderr);
        std::terminate();
    }
    all->context = keep(e->outer);
    leave(e);
}

} // namespace tendril::detail
