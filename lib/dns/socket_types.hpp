// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <netdb.h>

#include <cstdint>
#include <vector>

namespace tendril::detail::dns {

/// One of the ways in which an address is returned.
struct socket_type {
    int type = 0;
    int protocol = 0;
    std::uint16_t port = 0; ///< network byte order
};

/// The ways that fit the service and the hints' type and protocol, in glibc's order. 0 or EAI_*.
/// Service null or empty: port 0.
int expand_service(const char* service, const addrinfo& hints, std::vector<socket_type>& out);

} // namespace tendril::detail::dns
