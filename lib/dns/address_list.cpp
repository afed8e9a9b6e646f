// SPDX-License-Identifier: BSL-1.0
#include "dns/address_list.hpp"

#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace tendril::detail {

namespace dns {

namespace {

/// One node with its socket address behind it.
addrinfo* make_node(const ip_address& a, const socket_type& t, int flags) {
    const bool v6 = a.family == AF_INET6;
    const std::size_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    void* memory = std::calloc(1, sizeof(addrinfo) + size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    auto* node = new (memory) addrinfo{};
    node->ai_flags = flags;
    node->ai_family = a.family;
    node->ai_socktype = t.type;
    node->ai_protocol = t.protocol;
    node->ai_addrlen = static_cast<socklen_t>(size);
    node->ai_addr = reinterpret_cast<sockaddr*>(node + 1);
    if (v6) {
        auto* to = new (node + 1) sockaddr_in6{};
        to->sin6_family = AF_INET6;
        to->sin6_port = t.port;
        to->sin6_scope_id = a.scope;
        std::memcpy(&to->sin6_addr, a.bytes.data(), sizeof to->sin6_addr);
    } else {
        auto* to = new (node + 1) sockaddr_in{};
        to->sin_family = AF_INET;
        to->sin_port = t.port;
        std::memcpy(&to->sin_addr, a.bytes.data(), sizeof to->sin_addr);
    }
    return node;
}

} // namespace

address_list make_address_list(const std::vector<ip_address>& addresses,
                               const std::vector<socket_type>& types, int flags,
                               const char* canonical) {
    address_list list;
    addrinfo* last = nullptr;
    for (const ip_address& a : addresses) {
        for (const socket_type& t : types) {
            addrinfo* node = make_node(a, t, flags);
            if (last == nullptr) {
                list.reset(node);
            } else {
                last->ai_next = node;
            }
            last = node;
        }
    }
    if (list != nullptr && canonical != nullptr) {
        list->ai_canonname = ::strdup(canonical);
        if (list->ai_canonname == nullptr) {
            throw std::bad_alloc();
        }
    }
    return list;
}

} // namespace dns

void netdb::freeaddrinfo(addrinfo* list) noexcept {
    while (list != nullptr) {
        addrinfo* next = list->ai_next;
        std::free(list->ai_canonname);
        std::free(list);
        list = next;
    }
}

} // namespace tendril::detail
