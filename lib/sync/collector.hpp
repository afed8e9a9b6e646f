// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/wait_list.hpp"

namespace tendril::detail {

/// Who waits for what this watches, at present: an empty ticket, if nobody does.
ticket who_waits(const waiter& w) noexcept;

} // namespace tendril::detail
