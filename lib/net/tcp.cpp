// SPDX-License-Identifier: BSL-1.0
#include "net/tcp.hpp"

#include "hub/hub_core.hpp"
#include "io/fd_table.hpp"
#include "io/fd_traits.hpp"
#include "io/operations.hpp"
#include "net/fd_shortage.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace tendril::detail::net {

namespace {

using namespace std::chrono_literals;

constexpr auto shortest_pause = 1ms;
constexpr auto longest_pause = 100ms;

/// An fd that the kernel has just given us.
void adopt(int fd) noexcept {
    if (io::fd_entry* e = io::fd_table::find(fd)) {
        io::fd_table::forget(fd, *e); // what had this number before was closed behind our back
    }
    io::remember_kind(fd, io::fd_kind::tcp);
    io::hide_nonblock(fd);
}

int make_socket(int family) noexcept {
    const int fd =
        sys::real.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return -errno;
    }
    adopt(fd);
    return fd;
}

bool set_option(int fd, int level, int option, int value) noexcept {
    return sys::real.setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/// A connection to a port that nobody listens on, from which the kernel happened to start (TCP's
/// simultaneous open), talks to itself.
bool is_connected_to_itself(int fd, const addrinfo& to) noexcept {
    const socket_address local = local_address(fd);
    return local.size == to.ai_addrlen && std::memcmp(&local.bytes, to.ai_addr, local.size) == 0;
}

int connect_to(const addrinfo& to, time_point deadline) noexcept {
    const int fd = make_socket(to.ai_family);
    if (fd < 0) {
        return fd;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    io::options o;
    o.deadline = deadline;
    int r = io::connect(fd, to.ai_addr, to.ai_addrlen, o);
    if (r == 0 && is_connected_to_itself(fd, to)) {
        r = -ECONNREFUSED;
    }
    if (r < 0) {
        net::close(fd);
        return r;
    }
    return fd;
}

/// An equal share of the time that is left, as long as the deadline is known.
time_point share(time_point deadline, std::ptrdiff_t addresses) noexcept {
    if (deadline == never || addresses <= 1) {
        return deadline;
    }
    const time_point now = std::chrono::steady_clock::now();
    return deadline <= now ? deadline : now + (deadline - now) / addresses;
}

std::ptrdiff_t length(const addrinfo* list) noexcept {
    std::ptrdiff_t n = 0;
    for (; list != nullptr; list = list->ai_next) {
        ++n;
    }
    return n;
}

int listen_at(const addrinfo& at, const listen_flags& flags) noexcept {
    const int fd = make_socket(at.ai_family);
    if (fd < 0) {
        return fd;
    }
    const bool done = (!flags.reuse_address || set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
                      (!flags.reuse_port || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
                      set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) && // its connections inherit it
                      (at.ai_family != AF_INET6 ||
                       set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, flags.ipv6_only ? 1 : 0)) &&
                      sys::real.bind(fd, at.ai_addr, at.ai_addrlen) == 0 &&
                      sys::real.listen(fd, flags.backlog) == 0;
    if (!done) {
        const int error = errno;
        net::close(fd);
        return -error;
    }
    return fd;
}

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

int connect(const addrinfo* list, time_point deadline, std::vector<attempt>& tried) {
    std::ptrdiff_t left = length(list);
    tried.reserve(tried.size() + static_cast<std::size_t>(left));
    int r = -EADDRNOTAVAIL;
    for (; list != nullptr; list = list->ai_next, --left) {
        r = connect_to(*list, share(deadline, left));
        tried.push_back({{list->ai_addr, list->ai_addrlen}, r < 0 ? -r : 0});
        const bool too_late = deadline != never && std::chrono::steady_clock::now() >= deadline;
        if (r >= 0 || r == -ECANCELED || is_shortage(-r) || too_late) {
            break;
        }
    }
    return r;
}

int listen(const addrinfo* list, const listen_flags& flags) noexcept {
    int r = -EADDRNOTAVAIL;
    for (; list != nullptr; list = list->ai_next) {
        r = listen_at(*list, flags);
        if (r >= 0) {
            break;
        }
    }
    return r;
}

int accept(int listener, socket_address& peer, time_point deadline) noexcept {
    io::options o;
    o.deadline = deadline;
    auto pause = std::chrono::duration_cast<time_point::duration>(shortest_pause);
    for (;;) {
        peer.size = sizeof peer.bytes;
        const int r =
            io::accept4(listener, peer.data(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC, o);
        if (r >= 0) {
            adopt(r);
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
