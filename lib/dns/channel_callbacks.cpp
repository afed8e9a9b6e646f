// SPDX-License-Identifier: BSL-1.0
#include "dns/channel_callbacks.hpp"

#include "io/operations.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <netinet/tcp.h>

#include <cerrno>

namespace tendril::detail::dns {

namespace {

/// The kernel doubles it. Room for a burst of large answers.
constexpr int receive_buffer = 256 << 10;

} // namespace

const ares_socket_functions channel_callbacks::sockets{&open, &close, &connect, &receive, &send};

void channel_callbacks::answered(void* arg, int status, int, unsigned char* message, int size) {
    query& q = *static_cast<query*>(arg);
    q.home->complete(q, status, message, size);
}

void channel_callbacks::socket_state(void* data, ares_socket_t fd, int in, int out) {
    static_cast<channel*>(data)->socket_state(fd, in != 0, out != 0);
}

ares_socket_t channel_callbacks::open(int family, int type, int protocol, void* data) {
    // Not the program's: who closes all fds closes those of others, and then we theirs.
    const int fd =
        sys::adopt(sys::real.socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    if (fd < 0) {
        static_cast<channel*>(data)->socket_error_ = errno;
        return ARES_SOCKET_BAD;
    }
    const int on = 1;
    if (type == SOCK_STREAM) {
        sys::real.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    } else {
        sys::real.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    return fd;
}

int channel_callbacks::close(ares_socket_t fd, void* data) {
    if (!static_cast<channel*>(data)->muted_) {
        const auto number = static_cast<unsigned>(fd);
        io::closing_range(number, number); // wakes the driver if it waits for this one
    }
    sys::close_own(fd);
    return 0;
}

int channel_callbacks::connect(ares_socket_t fd, const sockaddr*, ares_socklen_t, void* data) {
    // Our own address of the server: c-ares 1.18 drops the scope of an IPv6 one.
    const server_address& to = static_cast<channel*>(data)->settings_.server;
    return sys::real.connect(fd, &to.any, to.size());
}

ares_ssize_t channel_callbacks::receive(ares_socket_t fd, void* buffer, std::size_t size, int flags,
                                        sockaddr* from, ares_socklen_t* from_size, void* data) {
    const auto* c = static_cast<channel*>(data);
    const ssize_t n = sys::real.recvfrom(fd, buffer, size, flags, from, from_size);
    return c->settings_.tcp ? n : c->complete_header(static_cast<unsigned char*>(buffer), n, size);
}

ares_ssize_t channel_callbacks::send(ares_socket_t fd, const iovec* iov, int count, void* data) {
    auto* c = static_cast<channel*>(data);
    if (!c->settings_.tcp) {
        c->sent(iov, count);
    }
    msghdr m{};
    m.msg_iov = const_cast<iovec*>(iov);
    m.msg_iovlen = static_cast<std::size_t>(count);
    const ssize_t n = sys::real.sendmsg(fd, &m, MSG_NOSIGNAL);
    if (n < 0 && !c->settings_.tcp && (errno == ECONNREFUSED || errno == EHOSTUNREACH)) {
        // What an earlier datagram met (udp(7)). This one meets it again, and then it is the driver
        // that hears of it, for all questions on this socket.
        return sys::real.sendmsg(fd, &m, MSG_NOSIGNAL);
    }
    return n;
}

} // namespace tendril::detail::dns
