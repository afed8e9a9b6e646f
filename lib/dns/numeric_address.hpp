// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>

namespace tendril::detail::dns {

/// An address without a port. IPv4 uses the first four bytes.
struct ip_address {
    int family = AF_UNSPEC;
    std::array<std::uint8_t, 16> bytes{};
    std::uint32_t scope = 0;

    static ip_address v4(const in_addr& a) noexcept;
    static ip_address v6(const in6_addr& a, std::uint32_t scope = 0) noexcept;

    std::size_t size() const noexcept { return family == AF_INET ? 4 : 16; }
    bool is_mapped() const noexcept; ///< an IPv6 address that means an IPv4 one (::ffff:1.2.3.4)
    ip_address mapped() const noexcept;
    ip_address unmapped() const noexcept;

    friend bool operator==(const ip_address&, const ip_address&) = default;
};

/// The forms of inet_aton(3): "127.1", "0x7f.1", "017700000001"; nothing may follow.
bool parse_ipv4(const char* text, in_addr& out) noexcept;

/// What follows the % of a scoped address: an interface's name (link-local addresses only) or a
/// decimal number.
bool parse_scope(const in6_addr& address, const char* text, std::uint32_t& out) noexcept;

enum class numeric_result { not_numeric, address, bad_scope };

/// Any form that getaddrinfo(3) takes for an address.
numeric_result parse_numeric(const char* text, ip_address& out) noexcept;

} // namespace tendril::detail::dns
