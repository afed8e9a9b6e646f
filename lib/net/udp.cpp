// SPDX-License-Identifier: BSL-1.0
#include "net/udp.hpp"

#include "sys/calls.hpp"

#include <algorithm>
#include <cstring>
#include <netinet/in.h>

namespace tendril::detail::net {

namespace {

int make_udp(int domain) noexcept {
    return make_socket(domain, SOCK_DGRAM, IPPROTO_UDP, io::fd_kind::message);
}

} // namespace

int open_udp(int domain) noexcept {
    if (domain != AF_UNSPEC) {
        return make_udp(domain);
    }
    const int fd = make_udp(AF_INET6);
    if (fd == -EAFNOSUPPORT) {
        return make_udp(AF_INET);
    }
    if (fd >= 0 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) {
        return give_up(fd);
    }
    return fd;
}

int bind_udp(const addrinfo* list, const bind_flags& flags) noexcept {
    return first_of(list, [&](const addrinfo& at) {
        const int fd = make_udp(at.ai_family);
        return fd < 0 || bind_to(fd, at, flags) ? fd : give_up(fd);
    });
}

int connect_udp(const addrinfo* list) noexcept {
    return first_of(list, [](const addrinfo& to) {
        const int fd = make_udp(to.ai_family);
        return fd < 0 || sys::real.connect(fd, to.ai_addr, to.ai_addrlen) == 0 ? fd : give_up(fd);
    });
}

int set_peer(int fd, const sockaddr* peer, socklen_t size) noexcept {
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    if (peer == nullptr) {
        peer = &nobody;
        size = sizeof nobody;
    }
    return sys::real.connect(fd, peer, size) == 0 ? 0 : -errno;
}

int change_group(int fd, int option, const sockaddr* group, socklen_t size,
                 unsigned interface) noexcept {
    group_req request{};
    request.gr_interface = interface;
    std::memcpy(&request.gr_group, group, std::min<std::size_t>(size, sizeof request.gr_group));
    const int level = group->sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    return sys::real.setsockopt(fd, level, option, &request, sizeof request) == 0 ? 0 : -errno;
}

} // namespace tendril::detail::net
