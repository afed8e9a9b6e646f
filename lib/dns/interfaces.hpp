// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/numeric_address.hpp"

#include <cstdint>
#include <vector>

namespace tendril::detail::dns {

/// An address of an interface; IPv4 ones are mapped.
struct interface_address {
    ip_address address;
    std::uint32_t index = 0;
    std::uint8_t prefix = 0;
    bool deprecated = false; ///< or still optimistic
    bool home = false;       ///< mobile IPv6
};

/// This machine's addresses, as AI_ADDRCONFIG and the sort by RFC 6724 need them.
struct interface_list {
    bool has_ipv4 = false; ///< one beside 127.0.0.1
    bool has_ipv6 = false; ///< one beside ::1
    std::vector<interface_address> addresses;

    /// Asks the kernel (rtnetlink(7)), which answers without waiting. If that fails, everything is
    /// taken to be there.
    static interface_list now();

    const interface_address* find(const ip_address& a) const noexcept;
};

} // namespace tendril::detail::dns
