// SPDX-License-Identifier: BSL-1.0
#include <tendril/thread_state.hpp>

#include "hub/hub_core.hpp"
#include "hub/openssl_errors.hpp"

namespace tendril {
inline namespace v1 {

bool keep_per_fiber(const thread_state& state) {
    return detail::hub_core::current().keep_per_fiber(state);
}

bool keep_openssl_errors_per_fiber() {
    return detail::openssl::look(detail::hub_core::current()) == detail::openssl::found::yes;
}

} // namespace v1
} // namespace tendril
