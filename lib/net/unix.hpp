// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/operations.hpp"
#include "net/socket.hpp"

#include <array>
#include <cstddef>

/// Unix sockets by fds.
namespace tendril::detail::net {

/// `type`: SOCK_STREAM or SOCK_DGRAM.
int make_unix(int type) noexcept;
/// socketpair(2): 0 or -errno.
int unix_pair(int type, int (&ends)[2]) noexcept;

/// A new stream, connected: an fd, or -errno.
int connect_unix(const sockaddr* to, socklen_t size, time_point deadline) noexcept;

/// bind(2): 0 or -errno. `replace_stale`: removes a socket file first to which nobody listens.
int bind_unix(int fd, const sockaddr* at, socklen_t size, bool replace_stale) noexcept;

/// How many fds one message can carry: SCM_MAX_FD of the kernel (unix(7)).
inline constexpr std::size_t most_fds = 253;

/// sendmsg(2) with fds; never raises SIGPIPE. The number of bytes, or -errno.
ssize_t send_fds(int fd, const void* data, std::size_t size, const int* fds, std::size_t count,
                 io::options& o) noexcept;

/// The fds of one message.
struct fd_batch {
    std::array<int, most_fds> fds;
    std::size_t count = 0;
};

/// recvmsg(2) with fds, which are in `came`, close-on-exec, and the caller's to close. `size`
/// becomes the number of bytes in the buffer. 0, or with none in `came`: -EMSGSIZE more than `room`
/// fds came, or more bytes than fit; -EMFILE no fd is left; or what recvmsg gave.
int receive_fds(int fd, void* buffer, std::size_t& size, fd_batch& came, std::size_t room,
                io::options& o) noexcept;

} // namespace tendril::detail::net
