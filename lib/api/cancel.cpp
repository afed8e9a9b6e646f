// SPDX-License-Identifier: BSL-1.0
#include <tendril/cancel.hpp>
#include <tendril/timeout.hpp>

#include "hub/cancellation.hpp"
#include "hub/hub_core.hpp"

#include <cerrno>
#include <system_error>

namespace tendril {

namespace detail {

void throw_timed_out() {
    throw std::system_error(ETIMEDOUT, std::system_category(), "with_timeout");
}

} // namespace detail

inline namespace v1 {

shield::shield()
    : scope(kind::shields, detail::never) {}

shield::shield(std::chrono::steady_clock::time_point until)
    : scope(kind::shields, until) {}

namespace this_fiber {

void throw_if_cancelled() {
    if (detail::hub_core* const hub = detail::hub_core::current_or_null(); hub != nullptr) {
        hub->notice();
        hub->throw_if_given_up();
    }
}

bool is_cancelled() noexcept {
    detail::hub_core* const hub = detail::hub_core::current_or_null();
    if (hub == nullptr) {
        return false;
    }
    hub->notice();
    return hub->is_given_up();
}

} // namespace this_fiber
} // namespace v1
} // namespace tendril
