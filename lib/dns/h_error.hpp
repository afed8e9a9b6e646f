// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"

namespace tendril::detail::dns {

/// Sets h_errno, which from the first time on is each of this hub's fibers' own. Without memory for
/// that it stays the thread's.
void set_h_errno(hub_core& hub, int code) noexcept;

} // namespace tendril::detail::dns
