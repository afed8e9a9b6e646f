// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tendril::detail {

/// For tests: the calling thread's selects begin their random order anew.
void reset_select_order() noexcept;

} // namespace tendril::detail
