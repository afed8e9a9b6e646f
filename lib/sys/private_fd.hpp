// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tendril::sys {

/// Moves an fd of our own (close-on-exec) out of the way: programs expect the lowest numbers for
/// themselves, and choose small ones for dup2. Returns the new number, or `fd` if there is none.
int make_private(int fd) noexcept;

} // namespace tendril::sys
