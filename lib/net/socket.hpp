// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"
#include "io/fd_table.hpp"

#include <cerrno>
#include <netdb.h>
#include <sys/socket.h>

/// Sockets by fds: what the public classes do, without exceptions. Like the operations of lib/io
/// these return a negative errno, park where the kernel would block, and make a hub on a thread
/// without. Sockets made here are SOCK_NONBLOCK | SOCK_CLOEXEC.
namespace tendril::detail::net {

struct socket_address {
    sockaddr_storage bytes = {};
    socklen_t size = 0;

    socket_address() noexcept = default;
    socket_address(const sockaddr* data, socklen_t data_size) noexcept;
    sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&bytes); }
    const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&bytes); }
};

/// An fd that the kernel has just given us, with SOCK_NONBLOCK.
void adopt_new(int fd, io::fd_kind kind) noexcept;

/// A new socket, or -errno.
int make_socket(int domain, int type, int protocol, io::fd_kind kind) noexcept;

/// setsockopt(2) of an int; false with errno.
bool set_option(int fd, int level, int option, int value) noexcept;
/// getsockopt(2) of an int, or -errno.
int get_option(int fd, int level, int option) noexcept;

struct bind_flags {
    bool reuse_address;
    bool reuse_port;
    bool ipv6_only;
};

/// bind(2), after the options that must be set before it; false with errno.
bool bind_to(int fd, const addrinfo& at, const bind_flags& flags) noexcept;

/// What `make(address)` returns for the first address for which that is an fd; else the last error.
template <typename Make>
int first_of(const addrinfo* list, Make&& make) noexcept {
    int r = -EADDRNOTAVAIL;
    for (; list != nullptr && r < 0; list = list->ai_next) {
        r = make(*list);
    }
    return r;
}

/// The next connection. Those that broke while they waited in the queue are passed over, as
/// accept(2) advises; a shortage of fds is waited out (fd_shortage.hpp), unless the deadline passes
/// first: then its error is the result. `kind`: what the listener accepts.
int accept(int listener, io::fd_kind kind, socket_address& peer, time_point deadline) noexcept;

int close(int fd) noexcept;

/// Closes what was not wanted after all, and returns -errno as it was before.
int give_up(int fd) noexcept;

/// getsockname(2); size 0 if that fails.
socket_address local_address(int fd) noexcept;
/// getpeername(2), likewise.
socket_address peer_address(int fd) noexcept;

} // namespace tendril::detail::net
