// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/netdb.hpp"
#include "dns/numeric_address.hpp"
#include "dns/socket_types.hpp"

#include <memory>
#include <vector>

namespace tendril::detail::dns {

struct address_list_free {
    void operator()(addrinfo* list) const noexcept { netdb::freeaddrinfo(list); }
};
using address_list = std::unique_ptr<addrinfo, address_list_free>;

/// What getaddrinfo(3) returns: each address in each way, allocated as libc does it, so that either
/// freeaddrinfo fits. `canonical` goes into the first node, null into none. Throws std::bad_alloc.
address_list make_address_list(const std::vector<ip_address>& addresses,
                               const std::vector<socket_type>& types, int flags,
                               const char* canonical);

} // namespace tendril::detail::dns
