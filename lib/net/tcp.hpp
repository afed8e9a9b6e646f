// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <vector>

/// TCP by fds: what the public classes do, without exceptions. Like the operations of lib/io these
/// return a negative errno, park where the kernel would block, and make a hub on a thread without.
/// Sockets made here are SOCK_NONBLOCK | SOCK_CLOEXEC.
namespace tendril::detail::net {

struct socket_address {
    sockaddr_storage bytes = {};
    socklen_t size = 0;

    socket_address() noexcept = default;
    socket_address(const sockaddr* data, socklen_t data_size) noexcept;
    sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&bytes); }
    const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&bytes); }
};

struct attempt {
    socket_address to;
    int error = 0; ///< an errno; 0: this one was taken
};

/// Tries the addresses in order until one answers: an fd, or the last error. Each gets an equal
/// share of the time that is left. May throw std::bad_alloc, for `tried`; then nothing is open.
int connect(const addrinfo* list, time_point deadline, std::vector<attempt>& tried);

struct listen_flags {
    int backlog;
    bool reuse_address;
    bool reuse_port;
    bool ipv6_only;
};

/// The first address of the list that can be listened on: an fd, or the last error.
int listen(const addrinfo* list, const listen_flags& flags) noexcept;

/// The next connection. Those that broke while they waited in the queue are passed over, as
/// accept(2) advises; a shortage of fds is waited out (fd_shortage.hpp), unless the deadline passes
/// first: then its error is the result.
int accept(int listener, socket_address& peer, time_point deadline) noexcept;

int close(int fd) noexcept;

/// getsockname(2); size 0 if that fails.
socket_address local_address(int fd) noexcept;
/// getpeername(2), likewise.
socket_address peer_address(int fd) noexcept;

} // namespace tendril::detail::net
