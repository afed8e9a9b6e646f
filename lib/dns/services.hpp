// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tendril::detail::dns {

/// getservbyname(3) and getservbyport(3) with libc's own sources, remembered until services(5) or
/// nsswitch.conf(5) changes: libc reads the whole file for each call. Ports in network byte order.
std::optional<std::uint16_t> service_port(const std::string& name, const char* protocol);
std::optional<std::string> service_name(std::uint16_t port, const char* protocol);

} // namespace tendril::detail::dns
