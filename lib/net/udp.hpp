// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "net/socket.hpp"

#include <netdb.h>

/// UDP by fds. None of these waits.
namespace tendril::detail::net {

/// A socket without an address; AF_UNSPEC: IPv6 which speaks IPv4 too, else IPv4.
int open_udp(int domain) noexcept;

/// Bound to the first address of the list that can be had: an fd, or the last error.
int bind_udp(const addrinfo* list, const bind_flags& flags) noexcept;

/// Connected to the first address of the list that can be reached: an fd, or the last error.
int connect_udp(const addrinfo* list) noexcept;

/// connect(2) of a datagram socket. Null: disconnects. 0 or -errno.
int set_peer(int fd, const sockaddr* peer, socklen_t size) noexcept;

/// `option`: MCAST_JOIN_GROUP or MCAST_LEAVE_GROUP; `interface`: its index, or 0. 0 or -errno.
int change_group(int fd, int option, const sockaddr* group, socklen_t size,
                 unsigned interface) noexcept;

} // namespace tendril::detail::net
