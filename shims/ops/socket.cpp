// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/time_spec.hpp"

namespace tendril::detail::shim::ops {

ssize_t recv(int fd, void* buffer, size_t size, int flags) noexcept {
    return call(
        tendril_shim_index_recv,
        [&](hub_core&, io::options& o) { return io::recv(fd, buffer, size, flags, o); },
        [&] { return libc.recv(fd, buffer, size, flags); });
}

ssize_t send(int fd, const void* buffer, size_t size, int flags) noexcept {
    return call(
        tendril_shim_index_send,
        [&](hub_core&, io::options& o) { return io::send(fd, buffer, size, flags, o); },
        [&] { return libc.send(fd, buffer, size, flags); });
}

ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, struct sockaddr* from,
                 socklen_t* from_size) noexcept {
    return call(
        tendril_shim_index_recvfrom,
        [&](hub_core&, io::options& o) {
            return io::recvfrom(fd, buffer, size, flags, from, from_size, o);
        },
        [&] { return libc.recvfrom(fd, buffer, size, flags, from, from_size); });
}

ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const struct sockaddr* to,
               socklen_t to_size) noexcept {
    return call(
        tendril_shim_index_sendto,
        [&](hub_core&, io::options& o) {
            return io::sendto(fd, buffer, size, flags, to, to_size, o);
        },
        [&] { return libc.sendto(fd, buffer, size, flags, to, to_size); });
}

ssize_t recvmsg(int fd, struct msghdr* message, int flags) noexcept {
    return call(
        tendril_shim_index_recvmsg,
        [&](hub_core&, io::options& o) { return io::recvmsg(fd, message, flags, o); },
        [&] { return libc.recvmsg(fd, message, flags); });
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) noexcept {
    return call(
        tendril_shim_index_sendmsg,
        [&](hub_core&, io::options& o) { return io::sendmsg(fd, message, flags, o); },
        [&] { return libc.sendmsg(fd, message, flags); });
}

int recvmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags,
             struct timespec* timeout) noexcept {
    return call(
        tendril_shim_index_recvmmsg,
        [&](hub_core&, io::options& o) {
            if (timeout == nullptr) {
                return io::recvmmsg(fd, messages, count, flags, o);
            }
            if (!valid(*timeout)) {
                return -EINVAL;
            }
            const time_point deadline = deadline_of(timeout);
            o.deadline = deadline;
            const int got = io::recvmmsg(fd, messages, count, flags, o);
            if (got > 0) {
                *timeout = spec_of(left_until(deadline)); // recvmmsg(2) of Linux
            }
            return got;
        },
        [&] { return libc.recvmmsg(fd, messages, count, flags, timeout); });
}

int sendmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags) noexcept {
    return call(
        tendril_shim_index_sendmmsg,
        [&](hub_core&, io::options& o) { return io::sendmmsg(fd, messages, count, flags, o); },
        [&] { return libc.sendmmsg(fd, messages, count, flags); });
}

ssize_t sendfile(int out, int in, off_t* offset, size_t count) noexcept {
    return call(
        tendril_shim_index_sendfile,
        [&](hub_core&, io::options& o) { return io::sendfile(out, in, offset, count, 0, o); },
        [&] { return libc.sendfile(out, in, offset, count); });
}

int shutdown(int fd, int how) noexcept {
    return call(
        tendril_shim_index_shutdown, [&](hub_core&, io::options&) { return io::shutdown(fd, how); },
        [&] { return libc.shutdown(fd, how); });
}

// A connection may be the first of a library that was loaded after the hub began.
int accept(int fd, struct sockaddr* peer, socklen_t* peer_size) noexcept {
    return call(
        tendril_shim_index_accept,
        [&](hub_core& hub, io::options& o) {
            openssl::look_again(hub);
            return io::accept4(fd, peer, peer_size, 0, o);
        },
        [&] { return libc.accept(fd, peer, peer_size); });
}

int accept4(int fd, struct sockaddr* peer, socklen_t* peer_size, int flags) noexcept {
    return call(
        tendril_shim_index_accept4,
        [&](hub_core& hub, io::options& o) {
            openssl::look_again(hub);
            return io::accept4(fd, peer, peer_size, flags, o);
        },
        [&] { return libc.accept4(fd, peer, peer_size, flags); });
}

int connect(int fd, const struct sockaddr* to, socklen_t to_size) noexcept {
    return call(
        tendril_shim_index_connect,
        [&](hub_core& hub, io::options& o) {
            openssl::look_again(hub);
            return io::connect(fd, to, to_size, o);
        },
        [&] { return libc.connect(fd, to, to_size); });
}

} // namespace tendril::detail::shim::ops
