// SPDX-License-Identifier: BSL-1.0
#include "hub/fiber_values.hpp"

#include "hub/hub_core.hpp"

#include <memory>

namespace tendril::detail {

std::atomic<bool> context_in_use{false};

namespace {

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

} // namespace

fiber_values* current_values(bool make) {
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

std::unique_ptr<fiber_values> inherit_context() {
    const fiber_values* const mine = current_values(false);
    if (mine == nullptr || mine->context == nullptr) {
        return nullptr;
    }
    auto values = std::make_unique<fiber_values>();
    values->context = keep(mine->context);
    return values;
}

} // namespace tendril::detail
