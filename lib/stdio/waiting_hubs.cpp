// SPDX-License-Identifier: BSL-1.0
#include "stdio/waiting_hubs.hpp"

#include <pthread.h>

namespace tendril::detail::stdio {

constinit waiting_hub::count waiting_hub::counts[size];

waiting_hub::waiting_hub(const FILE* file, hub_core& hub) noexcept
    : hub_(hub)
    , count_(count_of(file)) {
    // In a child no hub waits but its own, and no fiber of that does.
    [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, &forget);
    if (count_.waiting.fetch_add(1, std::memory_order_relaxed) == 0) {
        begin(count_, hub);
    }
}

waiting_hub::~waiting_hub() {
    begin(count_, hub_);
    count_.waiting.fetch_sub(1, std::memory_order_relaxed);
}

void waiting_hub::begin(count& c, hub_core& hub) noexcept {
    c.since.store(hub.now().time_since_epoch().count(), std::memory_order_relaxed);
}

bool waiting_hub::is_long_ago(const count& c, hub_core& hub) noexcept {
    const time_point since{time_point::duration{c.since.load(std::memory_order_relaxed)}};
    return hub.now() - since > patience;
}

void waiting_hub::forget() noexcept {
    for (count& c : counts) {
        c.waiting.store(0, std::memory_order_relaxed);
    }
}

} // namespace tendril::detail::stdio
