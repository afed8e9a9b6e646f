// SPDX-License-Identifier: BSL-1.0
#include "dns/digits_dots.hpp"

#include "dns/numeric_address.hpp"

#include <arpa/inet.h>
#include <netdb.h>

#include <optional>
#include <string_view>

namespace tendril::detail::dns {

namespace {

constexpr std::string_view digits = "0123456789";
constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";

bool only(std::string_view text, std::string_view digit_set, std::string_view others) {
    return text.find_first_not_of(std::string(digit_set) + std::string(others)) ==
           std::string_view::npos;
}

std::optional<ip_address> parse(const char* name, int family, bool forms_of_aton) {
    if (in_addr a; family == AF_INET && forms_of_aton && parse_ipv4(name, a)) {
        return ip_address::v4(a);
    }
    if (in6_addr a; family == AF_INET6 && inet_pton(AF_INET6, name, &a) == 1) {
        return ip_address::v6(a);
    }
    return std::nullopt;
}

} // namespace

bool numeric_host(const char* name, int family, host_result& out) {
    const std::string_view text = name;
    if (text.empty()) {
        return false;
    }
    const bool dot_ends = text.back() == '.';
    const bool starts_decimal = digits.find(text.front()) != std::string_view::npos;
    const bool starts_hex = hex_digits.find(text.front()) != std::string_view::npos;
    const bool decimal = starts_decimal && !dot_ends && only(text, digits, ".");
    const bool colon =
        text.front() == ':' || (starts_hex && text.find(':') != std::string_view::npos);
    // With a colon, IPv4 is refused at once, whatever else the name holds.
    const bool refused = colon && family == AF_INET;
    if (!decimal && !refused && !(colon && !dot_ends && only(text, hex_digits, ":."))) {
        return false;
    }
    const auto address = parse(name, family, decimal);
    if (!address) {
        out.status = source_status::not_found;
        out.h_error = HOST_NOT_FOUND;
        return true;
    }
    out.status = source_status::success;
    out.h_error = 0;
    out.host = {name, {}, {*address}};
    return true;
}

} // namespace tendril::detail::dns
