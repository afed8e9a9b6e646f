// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/endpoint.hpp>
#include <tendril/socket.hpp>

#include "net/socket.hpp"

#include <memory>
#include <netdb.h>
#include <string>
#include <vector>

namespace tendril {
inline namespace v1 {
namespace net {

// Both throw for ECANCELED what the fiber was ended by.
[[noreturn]] void fail(int error, const std::string& doing);
[[noreturn]] void throw_transfer(int error, const std::string& doing, std::size_t transferred);

inline dns::address to_public(const detail::net::socket_address& a) noexcept {
    return {a.data(), a.size};
}

/// "127.0.0.1:80", "/run/service.sock", "@service"; empty: it has no name.
std::string text_of(const dns::address& address);

using address_list = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

/// The addresses of `whole` with its host replaced by `host`; empty: none given. `hints` has the
/// socket type, protocol, family and flags. Throws, with `what` was being done.
address_list resolve(const std::string& host, const endpoint& whole, const addrinfo& hints,
                     deadline limit, const char* what);

/// What `make(list)` returns for the addresses to bind to: an fd. Throws, with `what` was being
/// done.
template <typename Make>
int bind_first(const endpoint& at, addrinfo hints, const char* what, Make&& make) {
    // Every address is IPv6's, which takes IPv4 as well; a kernel may be without it.
    const std::vector<std::string> hosts = at.host().empty()
                                               ? std::vector<std::string>{"::", "0.0.0.0"}
                                               : std::vector<std::string>{at.host()};
    hints.ai_flags = AI_PASSIVE;
    int r = -EADDRNOTAVAIL;
    for (const std::string& host : hosts) {
        const address_list list = resolve(host, at, hints, {}, what);
        r = make(list.get());
        if (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL) {
            break;
        }
    }
    if (r < 0) {
        fail(-r, std::string(what) + ' ' + at.text());
    }
    return r;
}

} // namespace net
} // namespace v1
} // namespace tendril
