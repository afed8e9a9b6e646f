// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/operations.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

/// Real sockets for tests, made by plain libc, closed as Tendril wants it. Whatever fails throws.
namespace tendril::test {

inline int check(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::system_category(), what);
    }
    return result;
}

class owned_fd {
public:
    owned_fd() = default;
    explicit owned_fd(int fd)
        : fd_(fd) {}
    owned_fd(owned_fd&& other) noexcept
        : fd_(other.release()) {}
    owned_fd& operator=(owned_fd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~owned_fd() { reset(); }

    operator int() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1) {
        if (fd_ >= 0) {
            detail::io::close(fd_);
        }
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

struct fd_pair {
    owned_fd a;
    owned_fd b;
};

inline sockaddr_in loopback(std::uint16_t port = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

inline const sockaddr* as_sockaddr(const sockaddr_in& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

inline sockaddr_in local_address(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    check(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    return address;
}

inline owned_fd tcp_listener(int backlog = 128, int flags = 0) {
    owned_fd fd(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"));
    const sockaddr_in address = loopback();
    const int on = 1; // ports may be scarce: those of ended connections count as used for a minute
    check(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    check(::bind(fd, as_sockaddr(address), sizeof address), "bind");
    check(::listen(fd, backlog), "listen");
    return fd;
}

/// Closing resets the connection, which then leaves no port in TIME_WAIT: for tests that make
/// thousands.
inline void reset_when_closed(int fd) {
    const linger at_once{1, 0};
    check(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
}

inline owned_fd tcp_client(int listener) {
    owned_fd fd(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const sockaddr_in address = local_address(listener);
    check(::connect(fd, as_sockaddr(address), sizeof address), "connect");
    return fd;
}

inline fd_pair tcp_pair() {
    const owned_fd listener = tcp_listener();
    fd_pair pair;
    pair.a = tcp_client(listener);
    pair.b.reset(check(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept"));
    const int on = 1;
    for (const owned_fd* fd : {&pair.a, &pair.b}) {
        check(::setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    }
    return pair;
}

/// With small buffers that do not grow, so that writers have to wait.
inline fd_pair narrow_tcp() {
    fd_pair pair = tcp_pair();
    const int size = 50'000;
    for (const owned_fd* fd : {&pair.a, &pair.b}) {
        check(::setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
        check(::setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), "SO_RCVBUF");
    }
    return pair;
}

/// Bytes that are on their way: sent, and not yet acknowledged. 0 on AF_UNIX.
inline int in_flight(int fd) {
    int unacknowledged = 0;
    int unsent = 0;
    return ::ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && ::ioctl(fd, SIOCOUTQNSD, &unsent) == 0
               ? unacknowledged - unsent
               : 0;
}

/// Sends until no byte more is taken, and none will be before the peer reads.
inline void fill(int fd) {
    const std::string filler(100'000, 'x');
    do {
        while (::send(fd, filler.data(), filler.size(), MSG_DONTWAIT) > 0) {
        }
        ::sched_yield();
    } while (in_flight(fd) != 0 || ::send(fd, filler.data(), 1, MSG_DONTWAIT) > 0);
}

inline fd_pair unix_pair(int type = SOCK_STREAM) {
    int fds[2];
    check(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), "socketpair");
    return {owned_fd(fds[0]), owned_fd(fds[1])};
}

/// a: read end, b: write end.
inline fd_pair pipe_pair() {
    int fds[2];
    check(::pipe2(fds, O_CLOEXEC), "pipe2");
    return {owned_fd(fds[0]), owned_fd(fds[1])};
}

/// Lets the other fibers of this hub run until they wait, the hub fetch what the kernel has to
/// report by now, and those run who were woken by that.
inline void settle() {
    for (int i = 0; i < 2; ++i) {
        detail::io::options o;
        detail::io::sleep(std::chrono::steady_clock::now(), o);
    }
}

inline std::string read_all(int fd) {
    std::string all;
    std::array<char, 5000> part{};
    for (;;) {
        detail::io::options o;
        const ssize_t n = detail::io::read(fd, part.data(), part.size(), o);
        if (n <= 0) {
            return all;
        }
        all.append(part.data(), static_cast<std::size_t>(n));
    }
}

/// ThreadSanitizer's own state does not survive a fork beside threads, which workers are.
inline bool can_fork_beside_threads() {
    return std::string_view(TENDRIL_TEST_SANITIZE).find("thread") == std::string_view::npos;
}

inline bool is_nonblocking(int fd) {
    return (check(::fcntl(fd, F_GETFL), "F_GETFL") & O_NONBLOCK) != 0;
}

inline void set_nonblocking(int fd) {
    check(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK), "F_SETFL");
}

} // namespace tendril::test
