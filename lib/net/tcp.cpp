// SPDX-License-Identifier: BSL-1.0
#include "net/tcp.hpp"

#include "io/operations.hpp"
#include "net/fd_shortage.hpp"
#include "sys/calls.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace tendril::detail::net {

namespace {

int make_tcp(int family) noexcept {
    return make_socket(family, SOCK_STREAM, IPPROTO_TCP, io::fd_kind::tcp);
}

/// A connection to a port that nobody listens on, from which the kernel happened to start (TCP's
/// simultaneous open), talks to itself.
bool is_connected_to_itself(int fd, const addrinfo& to) noexcept {
    const socket_address local = local_address(fd);
    return local.size == to.ai_addrlen && std::memcmp(&local.bytes, to.ai_addr, local.size) == 0;
}

int connect_to(const addrinfo& to, time_point deadline) noexcept {
    const int fd = make_tcp(to.ai_family);
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
    const int fd = make_tcp(at.ai_family);
    if (fd < 0) {
        return fd;
    }
    const bool done = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) && // its connections inherit it
                      bind_to(fd, at, flags.bind) && sys::real.listen(fd, flags.backlog) == 0;
    return done ? fd : give_up(fd);
}

} // namespace

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
    return first_of(list, [&](const addrinfo& at) { return listen_at(at, flags); });
}

} // namespace tendril::detail::net
