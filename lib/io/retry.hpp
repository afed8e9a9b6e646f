// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "io/hub_io.hpp"
#include "io/operations.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace tendril::detail::io {

inline wait_reason retry_reason(const char* what, int fd, options& o, const hub_core& hub,
                                interruption by_signals = interruption::unless_restarted) noexcept {
    wait_reason why{wait_kind::other, what, fd};
    if (o.as_program) {
        why.by_signals = by_signals;
        why.since = o.begun = o.begun != 0 ? o.begun : hub.switches();
    }
    return why;
}

/// How long to wait between attempts: twice as long each time.
struct retry_pauses {
    std::chrono::microseconds shortest{1000};
    std::chrono::microseconds longest{20000};
};

/// What nothing tells the readiness of: `attempt()` until it gives something else than -EAGAIN.
/// Also ends with -ETIMEDOUT at o.deadline, -EINTR, or -ECANCELED. o.what names it in dumps.
template <typename Attempt>
auto try_until_free(hub_core& hub, int fd, options& o, Attempt attempt,
                    interruption by_signals = interruption::unless_restarted,
                    retry_pauses pauses = {}) noexcept -> decltype(attempt()) {
    for (auto pause = pauses.shortest;; pause = std::min(2 * pause, pauses.longest)) {
        const auto result = attempt();
        if (result != -EAGAIN) {
            if (!o.waited) {
                hub.charge();
            }
            return result;
        }
        o.waited = true;
        const wait_reason why = retry_reason(o.what, fd, o, hub, by_signals);
        if (hub.is_interrupted(why)) {
            return -EINTR;
        }
        const wake end = hub.park(hub.prepare(), why, std::min(hub.now() + pause, o.deadline));
        if (end != wake::timeout) {
            return hub_io::outcome(end, true);
        }
        if (hub.now() >= o.deadline) {
            return -ETIMEDOUT;
        }
    }
}

} // namespace tendril::detail::io
