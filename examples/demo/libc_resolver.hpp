// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace demo {

/// Makes this process ask the DNS server at 127.0.0.1:`port` in place of those in /etc/resolv.conf:
/// libc's own resolver, and Tendril's.
void ask_dns_server_at(std::uint16_t port);

/// Does libc find `name` at 127.0.0.1? Not if nsswitch.conf(5) sends it elsewhere than to DNS.
bool libc_finds(const char* name);

} // namespace demo
