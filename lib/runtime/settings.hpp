// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/stack.hpp"

#include <chrono>

namespace tendril::detail {

/// What the TENDRIL_* environment variables set. Read once, at first use; one that makes no sense
/// is reported on stderr with what is valid, and its default stands.
struct runtime_settings {
    /// TENDRIL_EXIT_GRACE_MS: how long the hub of a thread that ends goes on for its fibers.
    std::chrono::milliseconds exit_grace{1000};
    /// TENDRIL_BLOCKED: after how long a thread that does not come back to its hub is reported;
    /// 0: never.
    std::chrono::milliseconds blocked{0};
    /// TENDRIL_GUARD: the best way to try of guarding stacks: kernel, mprotect or canary.
    guard_method guard = guard_method::kernel;
};

const runtime_settings& settings();

} // namespace tendril::detail
