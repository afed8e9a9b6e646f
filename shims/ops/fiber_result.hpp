// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/fiber_values.hpp"

#include <tendril/detail/local_value.hpp>

#include <memory>
#include <new>

namespace tendril::detail::shim {

/// What libc keeps in a static variable for the results of a function, one per fiber: made when it
/// is first asked for, gone with the fiber. `Tag` tells those of one type apart. Null: no memory.
template <typename T, typename Tag = T>
T* result_of_fiber() noexcept {
    struct holder final : local_value {
        T value{};
    };
    static const std::uint64_t key = new_local_key();
    try {
        fiber_values& all = *current_values(true);
        local_value* kept = all.find(key);
        if (kept == nullptr) {
            auto made = std::make_unique<holder>();
            kept = made.get();
            all.set(key, std::move(made));
        }
        return &static_cast<holder*>(kept)->value;
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

} // namespace tendril::detail::shim
