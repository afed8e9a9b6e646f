// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>

namespace tendril::detail {

class hub_core;

/// From now on a thread of its own looks whether the calling thread comes back to its hub, and
/// reports on stderr, once per call site, when it has not for that long. Nothing is asked of the
/// hub, and no signal sent. Zero does nothing, as in the child of a fork.
void watch_hub(hub_core& hub, std::chrono::milliseconds at_most) noexcept;

/// Before the thread gives the hub back.
void unwatch_hub(hub_core& hub) noexcept;

/// That thread is there.
bool watches_for_blocked_hubs() noexcept;

} // namespace tendril::detail
