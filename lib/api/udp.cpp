// SPDX-License-Identifier: BSL-1.0
#include <tendril/udp.hpp>

#include "api/net_support.hpp"
#include "net/udp.hpp"

#include <cerrno>
#include <net/if.h>
#include <netinet/in.h>

namespace tendril {
inline namespace v1 {
namespace net {

namespace {

addrinfo udp_hints(int family = AF_UNSPEC) noexcept {
    addrinfo hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_protocol = IPPROTO_UDP;
    return hints;
}

int domain_of(dns::family family) noexcept {
    return family == dns::family::any ? AF_UNSPEC
                                      : (family == dns::family::ipv6 ? AF_INET6 : AF_INET);
}

} // namespace

udp_socket udp_socket::open(dns::family family) {
    const int r = detail::net::open_udp(domain_of(family));
    if (r < 0) {
        net::fail(-r, "open a UDP socket");
    }
    return udp_socket(r);
}

udp_socket udp_socket::bind(const endpoint& at, const udp_options& how) {
    const detail::net::bind_flags flags{how.reuse_address, how.reuse_port, how.ipv6_only};
    return udp_socket(bind_first(at, udp_hints(), "bind", [&](const addrinfo* list) {
        return detail::net::bind_udp(list, flags);
    }));
}

udp_socket udp_socket::connect(const endpoint& to, deadline limit) {
    const address_list list = resolve(to.host(), to, udp_hints(), limit, "connect");
    const int r = detail::net::connect_udp(list.get());
    if (r < 0) {
        net::fail(-r, "connect " + to.text());
    }
    return udp_socket(r, to_public(detail::net::peer_address(r)));
}

udp_socket udp_socket::adopt(int fd) {
    const int protocol = detail::net::get_option(fd, SOL_SOCKET, SO_PROTOCOL);
    if (protocol != IPPROTO_UDP) {
        net::fail(protocol < 0 ? -protocol : EPROTOTYPE, "adopt fd " + std::to_string(fd));
    }
    return udp_socket(fd, to_public(detail::net::peer_address(fd)));
}

void udp_socket::connect_to(const dns::address& to) {
    if (const int r = detail::net::set_peer(native_handle(), to.data(), to.size()); r < 0) {
        net::fail(-r, "connect " + text_of(to));
    }
    set_peer(to);
}

void udp_socket::disconnect() {
    if (const int r = detail::net::set_peer(native_handle(), nullptr, 0); r < 0) {
        fail(-r, "disconnect");
    }
    set_peer({});
}

void udp_socket::send_to(const void* data, std::size_t size, const dns::address& to,
                         deadline limit) {
    send_message(data, size, &to, limit);
}

void udp_socket::send_to(const void* data, std::size_t size, const endpoint& to, deadline limit) {
    // An IPv6 socket sends to IPv4 addresses as well.
    const bool ipv4 = detail::net::get_option(native_handle(), SOL_SOCKET, SO_DOMAIN) == AF_INET;
    const address_list list =
        resolve(to.host(), to, udp_hints(ipv4 ? AF_INET : AF_UNSPEC), own_or(limit), "send to");
    send_to(data, size, dns::address(list->ai_addr, list->ai_addrlen), limit);
}

void udp_socket::change_group(int option, const char* what, const dns::address& group,
                              const std::string& interface) {
    const unsigned index = interface.empty() ? 0 : ::if_nametoindex(interface.c_str());
    int r = !interface.empty() && index == 0 ? -errno : 0;
    if (r == 0) {
        r = detail::net::change_group(native_handle(), option, group.data(), group.size(), index);
    }
    if (r < 0) {
        net::fail(-r, what + group.host() + (interface.empty() ? "" : " on " + interface));
    }
}

void udp_socket::join_group(const dns::address& group, const std::string& interface) {
    change_group(MCAST_JOIN_GROUP, "join ", group, interface);
}

void udp_socket::leave_group(const dns::address& group, const std::string& interface) {
    change_group(MCAST_LEAVE_GROUP, "leave ", group, interface);
}

endpoint udp_socket::local() const {
    return local_address();
}

endpoint udp_socket::remote() const {
    return peer().size() == 0 ? endpoint() : endpoint(peer());
}

} // namespace net
} // namespace v1
} // namespace tendril
