// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/channel.hpp"

namespace tendril::detail::dns {

/// A question that c-ares has; it goes when c-ares has called back, the exchange maybe before.
struct query {
    channel* home;
    exchange* owner; ///< null when nobody waits any more
    std::size_t index;
};

/// What c-ares calls. The user data of all but the query is the channel.
struct channel_callbacks {
    static void answered(void* arg, int status, int timeouts, unsigned char* message, int size);
    static void socket_state(void* data, ares_socket_t fd, int in, int out);

    static ares_socket_t open(int family, int type, int protocol, void* data);
    static int close(ares_socket_t fd, void* data);
    static int connect(ares_socket_t fd, const sockaddr* to, ares_socklen_t size, void* data);
    static ares_ssize_t receive(ares_socket_t fd, void* buffer, std::size_t size, int flags,
                                sockaddr* from, ares_socklen_t* from_size, void* data);
    static ares_ssize_t send(ares_socket_t fd, const iovec* iov, int count, void* data);

    static const ares_socket_functions sockets;
};

} // namespace tendril::detail::dns
