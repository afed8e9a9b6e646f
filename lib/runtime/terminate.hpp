// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tendril::detail {

/// Before the program's own terminate handler runs: says which fiber it was, and whether it had
/// been cancelled, for that is then the likely reason.
void name_fiber_at_terminate() noexcept;

} // namespace tendril::detail
