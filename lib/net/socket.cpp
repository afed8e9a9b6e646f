// SPDX-License-Identifier: BSL-1.0
#include "net/socket.hpp"

#include "hub/hub_core.hpp"
#include "io/fd_traits.hpp"
#include "io/operations.hpp"
#include "net/fd_shortage.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>

namespace tendril::detail::net {

namespace {

using namespace std::chrono_literals;

constexpr auto shortest_pause = 1ms;
constexpr auto longest_pause = 100ms;

/// Errors of the connection and not of the listener: it is gone from the queue, the next one's
/// turn. accept(2), "Error handling", without EOPNOTSUPP, which also means no listener at all.
bool concerns_one_connection(int error) noexcept {
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

} // namespace

socket_address::socket_address(const sockaddr* data, socklen_t data_size) noexcept
    : size(std::min<socklen_t>(data_size, sizeof bytes)) {
    std::memcpy(&bytes, data, size);
}

void adopt_new(int fd, io::fd_kind kind) noexcept {
    if (io::fd_entry* e = io::fd_table::find(fd)) {
        io::fd_table::forget(fd, *e); // what had this number before was closed behind our back
    }
    io::remember_kind(fd, kind);
    io::hide_nonblock(fd);
}

int make_socket(int domain, int type, int protocol, io::fd_kind kind) noexcept {
    const int fd = sys::real.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return -errno;
    }
    adopt_new(fd, kind);
    return fd;
}

bool set_option(int fd, int level, int option, int value) noexcept {
    return sys::real.setsockopt(fd, level, option, &value, sizeof value) == 0;
}

int get_option(int fd, int level, int option) noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    return sys::real.getsockopt(fd, level, option, &value, &size) == 0 ? value : -errno;
}

bool bind_to(int fd, const addrinfo& at, const bind_flags& flags) noexcept {
    return (!flags.reuse_address || set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
           (!flags.reuse_port || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
           (at.ai_family != AF_INET6 ||
            set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, flags.ipv6_only ? 1 : 0)) &&
           sys::real.bind(fd, at.ai_addr, at.ai_addrlen) == 0;
}

int accept(int listener, io::fd_kind kind, socket_address& peer, time_point deadline) noexcept {
    io::options o;
    o.deadline = deadline;
    auto pause = std::chrono::duration_cast<time_point::duration>(shortest_pause);
    for (;;) {
        peer.size = sizeof peer.bytes;
        const int r =
            io::accept4(listener, peer.data(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC, o);
        if (r >= 0) {
            adopt_new(r, kind);
            return r;
        }
        if (concerns_one_connection(-r)) {
            continue;
        }
        const time_point now = std::chrono::steady_clock::now();
        // Without a hub it is the hub itself that found no fd.
        if (!is_shortage(-r) || now >= deadline || hub_core::current_or_null() == nullptr) {
            return r;
        }
        if (const int end = wait_for_fd(listener, std::min(deadline, now + pause)); end != 0) {
            return end;
        }
        pause = std::min<time_point::duration>(pause * 2, longest_pause);
    }
}

int close(int fd) noexcept {
    net::closing(fd);
    const int r = io::close(fd);
    net::closed();
    return r;
}

int give_up(int fd) noexcept {
    const int error = errno;
    net::close(fd);
    return -error;
}

socket_address local_address(int fd) noexcept {
    socket_address a;
    a.size = sizeof a.bytes;
    if (::getsockname(fd, a.data(), &a.size) != 0) {
        a.size = 0;
    }
    return a;
}

socket_address peer_address(int fd) noexcept {
    socket_address a;
    a.size = sizeof a.bytes;
    if (::getpeername(fd, a.data(), &a.size) != 0) {
        a.size = 0;
    }
    return a;
}

} // namespace tendril::detail::net
