// SPDX-License-Identifier: BSL-1.0
#include <tendril/io.hpp>

#include "hub/cancellation.hpp"
#include "io/operations.hpp"

#include <limits>
#include <string>
#include <system_error>

namespace tendril {
inline namespace v1 {
namespace io {

namespace {

namespace operations = detail::io;

constexpr int no_fd = std::numeric_limits<int>::min();

[[noreturn]] void fail(const char* what, int fd, int error) {
    std::string text = what;
    if (fd != no_fd) {
        text += " fd " + std::to_string(fd);
    }
    if (error == ECANCELED) {
        detail::throw_given_up(text);
    }
    throw std::system_error(error, std::system_category(), text);
}

/// Runs `operation(options&)`, and turns a negative errno into an exception.
template <typename Operation>
auto call(const char* what, int fd, const deadline& limit, Operation&& operation) {
    operations::options o;
    o.deadline = limit.at();
    const auto result = operation(o);
    if (result < 0) {
        fail(what, fd, static_cast<int>(-result));
    }
    return result;
}

template <typename Operation>
std::size_t transfer(const char* what, int fd, const deadline& limit, Operation&& operation) {
    return static_cast<std::size_t>(call(what, fd, limit, operation));
}

} // namespace

std::size_t read(int fd, void* buffer, std::size_t size, deadline limit) {
    return transfer("read", fd, limit,
                    [&](operations::options& o) { return operations::read(fd, buffer, size, o); });
}

std::size_t write(int fd, const void* buffer, std::size_t size, deadline limit) {
    return transfer("write", fd, limit,
                    [&](operations::options& o) { return operations::write(fd, buffer, size, o); });
}

std::size_t readv(int fd, const iovec* buffers, int count, deadline limit) {
    return transfer("readv", fd, limit, [&](operations::options& o) {
        return operations::readv(fd, buffers, count, o);
    });
}

std::size_t writev(int fd, const iovec* buffers, int count, deadline limit) {
    return transfer("writev", fd, limit, [&](operations::options& o) {
        return operations::writev(fd, buffers, count, o);
    });
}

std::size_t recv(int fd, void* buffer, std::size_t size, int flags, deadline limit) {
    return transfer("recv", fd, limit, [&](operations::options& o) {
        return operations::recv(fd, buffer, size, flags, o);
    });
}

std::size_t recvfrom(int fd, void* buffer, std::size_t size, int flags, sockaddr* from,
                     socklen_t* from_size, deadline limit) {
    return transfer("recvfrom", fd, limit, [&](operations::options& o) {
        return operations::recvfrom(fd, buffer, size, flags, from, from_size, o);
    });
}

std::size_t recvmsg(int fd, msghdr* message, int flags, deadline limit) {
    return transfer("recvmsg", fd, limit, [&](operations::options& o) {
        return operations::recvmsg(fd, message, flags, o);
    });
}

std::size_t send(int fd, const void* buffer, std::size_t size, int flags, deadline limit) {
    return transfer("send", fd, limit, [&](operations::options& o) {
        return operations::send(fd, buffer, size, flags, o);
    });
}

std::size_t sendto(int fd, const void* buffer, std::size_t size, int flags, const sockaddr* to,
                   socklen_t to_size, deadline limit) {
    return transfer("sendto", fd, limit, [&](operations::options& o) {
        return operations::sendto(fd, buffer, size, flags, to, to_size, o);
    });
}

std::size_t sendmsg(int fd, const msghdr* message, int flags, deadline limit) {
    return transfer("sendmsg", fd, limit, [&](operations::options& o) {
        return operations::sendmsg(fd, message, flags, o);
    });
}

unsigned recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, deadline limit) {
    return static_cast<unsigned>(call("recvmmsg", fd, limit, [&](operations::options& o) {
        return operations::recvmmsg(fd, messages, count, flags, o);
    }));
}

unsigned sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags, deadline limit) {
    return static_cast<unsigned>(call("sendmmsg", fd, limit, [&](operations::options& o) {
        return operations::sendmmsg(fd, messages, count, flags, o);
    }));
}

std::size_t sendfile(int out, int in, off_t* offset, std::size_t count, deadline limit) {
    return transfer("sendfile", out, limit, [&](operations::options& o) {
        return operations::sendfile(out, in, offset, count, 0, o);
    });
}

int accept4(int fd, sockaddr* peer, socklen_t* peer_size, int flags, deadline limit) {
    return call("accept", fd, limit, [&](operations::options& o) {
        return operations::accept4(fd, peer, peer_size, flags, o);
    });
}

void connect(int fd, const sockaddr* to, socklen_t to_size, deadline limit) {
    call("connect", fd, limit,
         [&](operations::options& o) { return operations::connect(fd, to, to_size, o); });
}

void shutdown(int fd, int how) {
    if (const int result = operations::shutdown(fd, how); result < 0) {
        fail("shutdown", fd, -result);
    }
}

int poll(pollfd* fds, nfds_t count, deadline limit) {
    return call("poll", no_fd, limit,
                [&](operations::options& o) { return operations::poll(fds, count, o); });
}

int select(int nfds, fd_set* readable, fd_set* writable, fd_set* exceptional, deadline limit) {
    return call("select", no_fd, limit, [&](operations::options& o) {
        return operations::select(nfds, readable, writable, exceptional, o);
    });
}

void close(int fd) {
    if (const int result = operations::close(fd); result < 0) {
        fail("close", fd, -result);
    }
}

} // namespace io
} // namespace v1
} // namespace tendril
