// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/interfaces.hpp"
#include "dns/numeric_address.hpp"

#include <optional>
#include <vector>

namespace tendril::detail::dns {

/// A destination, and the address that this machine would send from to reach it.
struct route {
    ip_address destination;
    std::optional<ip_address> source; ///< none: unreachable
    bool deprecated = false;
    bool home = false;
    std::uint8_t prefix = 0; ///< of the source's network; 0: unknown
};

/// Destination address selection, RFC 6724 section 6 with the tables and the deviations of glibc's
/// getaddrinfo (rule 7, native transport, is left out). Stable.
void sort_routes(std::vector<route>& routes);

/// The routes of these destinations, found by connecting UDP sockets, which sends nothing.
std::vector<route> find_routes(const std::vector<ip_address>& destinations,
                               const interface_list& interfaces);

} // namespace tendril::detail::dns
