// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"

namespace tendril::detail::shim {

/// The thread may have set its locale (uselocale(3)) before it had a hub: that is its main fiber's.
/// Throws std::bad_alloc.
void keep_locale_if_set(hub_core& hub);

} // namespace tendril::detail::shim
