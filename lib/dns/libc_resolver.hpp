// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/host_lookup.hpp"
#include "dns/netdb.hpp"

#include <string>

/// libc's own resolver, on a worker thread or, in mode `block`, on this one.
namespace tendril::detail::dns {

int libc_getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                     addrinfo** result, time_point deadline);
int libc_getnameinfo(const sockaddr* address, socklen_t size, char* host, socklen_t host_size,
                     char* service, socklen_t service_size, int flags, time_point deadline);

host_result libc_gethostbyname(const std::string& name, int family, time_point deadline);
host_result libc_gethostbyaddr(const ip_address& address, time_point deadline);

} // namespace tendril::detail::dns
