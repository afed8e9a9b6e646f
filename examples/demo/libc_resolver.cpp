// SPDX-License-Identifier: BSL-1.0
#include "libc_resolver.hpp"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <cstdlib>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string>

namespace demo {

void ask_dns_server_at(std::uint16_t port) {
    setenv("TENDRIL_NAMESERVERS", ("127.0.0.1:" + std::to_string(port)).c_str(), 1);
    // resolver(3): what is in _res, once initialised, is what this thread's getaddrinfo uses.
    res_init();
    _res.nscount = 1;
    _res.nsaddr_list[0] = {};
    _res.nsaddr_list[0].sin_family = AF_INET;
    _res.nsaddr_list[0].sin_port = htons(port);
    _res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

bool libc_finds(const char* name) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (getaddrinfo(name, nullptr, &hints, &list) != 0) {
        return false;
    }
    const auto* const address = reinterpret_cast<const sockaddr_in*>(list->ai_addr);
    const bool found = address->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    freeaddrinfo(list);
    return found;
}

} // namespace demo
