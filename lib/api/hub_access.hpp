// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/hub.hpp>

#include "hub/hub_core.hpp"

namespace tendril {
inline namespace v1 {

/// From the public handle to the hub and back.
struct hub_access {
    static hub handle(detail::hub_core& core) noexcept { return {core, core.generation()}; }
    static detail::hub_core& core(const hub& h) noexcept { return *h.core_; }
    static std::uint64_t generation(const hub& h) noexcept { return h.generation_; }
};

} // namespace v1
} // namespace tendril
