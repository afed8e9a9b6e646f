// SPDX-License-Identifier: BSL-1.0
#include "hub/fiber_values.hpp"
#include "hub/hub_core.hpp"

#include <tendril/detail/local_value.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace tendril::detail {
namespace {

std::atomic<std::uint64_t> next_key{1};

thread_local constinit bool thread_ends [[gnu::tls_model("initial-exec")]] = false;

struct thread_values : fiber_values {
    ~thread_values() {
        clear();
        thread_ends = true;
    }
};

/// Of a main fiber, or a thread without a hub: a thread needs none for this.
fiber_values* values_of_thread() {
    if (thread_ends) { // destructors that come later make some that nobody destroys
        static thread_local fiber_values* const late = new fiber_values;
        return late;
    }
    static thread_local thread_values values;
    return &values;
}

/// The calling fiber's; null if it has none and none shall be made.
fiber_values* values(bool make) {
    hub_core* const hub = hub_core::current_or_null();
    if (hub == nullptr || &hub->running() == &hub->main_fiber()) {
        return thread_ends && !make ? nullptr : values_of_thread();
    }
    fiber_extra& extra = *hub->running().extra;
    if (extra.values == nullptr && make) {
        extra.values = new fiber_values;
    }
    return extra.values;
}

} // namespace

std::uint64_t new_local_key() noexcept {
    return next_key.fetch_add(1, std::memory_order_relaxed);
}

local_value* find_local(std::uint64_t key) noexcept {
    fiber_values* const all = values(false);
    return all != nullptr ? all->find(key) : nullptr;
}

void set_local(std::uint64_t key, local_value* value) {
    std::unique_ptr<local_value> owned(value);
    values(true)->set(key, std::move(owned));
}

} // namespace tendril::detail
