// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/host_lookup.hpp"

namespace tendril::detail::dns {

/// gethostbyname(3) answers names that look like addresses by itself: digits and dots, or hex
/// digits with a colon, unless they end in a dot. False: look the name up. Else `out` is the
/// answer, which may be that there is no such host.
bool numeric_host(const char* name, int family, host_result& out);

} // namespace tendril::detail::dns
