// SPDX-License-Identifier: BSL-1.0
#include "hub/fiber_values.hpp"

#include <tendril/detail/local_value.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace tendril::detail {
namespace {

std::atomic<std::uint64_t> next_key{1};

} // namespace

std::uint64_t new_local_key() noexcept {
    return next_key.fetch_add(1, std::memory_order_relaxed);
}

local_value* find_local(std::uint64_t key) noexcept {
    fiber_values* const all = current_values(false);
    return all != nullptr ? all->find(key) : nullptr;
}

void set_local(std::uint64_t key, local_value* value) {
    std::unique_ptr<local_value> owned(value);
    current_values(true)->set(key, std::move(owned));
}

} // namespace tendril::detail
