// SPDX-License-Identifier: BSL-1.0
#include "dns/numeric_address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <charconv>
#include <cstring>

namespace tendril::detail::dns {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

} // namespace

ip_address ip_address::v4(const in_addr& a) noexcept {
    ip_address out;
    out.family = AF_INET;
    std::memcpy(out.bytes.data(), &a, sizeof a);
    return out;
}

ip_address ip_address::v6(const in6_addr& a, std::uint32_t scope) noexcept {
    ip_address out;
    out.family = AF_INET6;
    out.scope = scope;
    std::memcpy(out.bytes.data(), &a, sizeof a);
    return out;
}

bool ip_address::is_mapped() const noexcept {
    return family == AF_INET6 &&
           std::memcmp(bytes.data(), mapped_prefix.data(), mapped_prefix.size()) == 0;
}

ip_address ip_address::mapped() const noexcept {
    ip_address out;
    out.family = AF_INET6;
    std::memcpy(out.bytes.data(), mapped_prefix.data(), mapped_prefix.size());
    std::memcpy(out.bytes.data() + mapped_prefix.size(), bytes.data(), 4);
    return out;
}

ip_address ip_address::unmapped() const noexcept {
    ip_address out;
    out.family = AF_INET;
    std::memcpy(out.bytes.data(), bytes.data() + mapped_prefix.size(), 4);
    return out;
}

bool parse_ipv4(const char* text, in_addr& out) noexcept {
    // inet_aton stops at white space and takes what precedes it.
    return text[std::strcspn(text, " \t\n\v\f\r")] == '\0' && inet_aton(text, &out) != 0;
}

bool parse_scope(const in6_addr& address, const char* text, std::uint32_t& out) noexcept {
    if (IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_MC_NODELOCAL(&address) ||
        IN6_IS_ADDR_MC_LINKLOCAL(&address)) {
        if (const unsigned index = if_nametoindex(text); index != 0) {
            out = index;
            return true;
        }
    }
    const char* end = text + std::strlen(text);
    std::uint32_t number = 0;
    const auto [stop, error] = std::from_chars(text, end, number);
    if (error != std::errc() || stop != end) {
        return false;
    }
    out = number;
    return true;
}

numeric_result parse_numeric(const char* text, ip_address& out) noexcept {
    if (in_addr a; parse_ipv4(text, a)) {
        out = ip_address::v4(a);
        return numeric_result::address;
    }
    const char* percent = std::strchr(text, '%');
    const std::size_t length =
        percent != nullptr ? static_cast<std::size_t>(percent - text) : std::strlen(text);
    char digits[INET6_ADDRSTRLEN];
    in6_addr a;
    if (length >= sizeof digits) {
        return numeric_result::not_numeric;
    }
    std::memcpy(digits, text, length);
    digits[length] = '\0';
    if (inet_pton(AF_INET6, digits, &a) != 1) {
        return numeric_result::not_numeric;
    }
    std::uint32_t scope = 0;
    const bool good_scope = percent == nullptr || parse_scope(a, percent + 1, scope);
    out = ip_address::v6(a, scope);
    return good_scope ? numeric_result::address : numeric_result::bad_scope;
}

} // namespace tendril::detail::dns
