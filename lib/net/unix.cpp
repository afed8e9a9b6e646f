// SPDX-License-Identifier: BSL-1.0
#include "net/unix.hpp"

#include "io/fd_table.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/stat.h>
#include <sys/un.h>

namespace tendril::detail::net {

namespace {

io::fd_kind kind_of(int type) noexcept {
    return type == SOCK_STREAM ? io::fd_kind::stream : io::fd_kind::message;
}

/// A control buffer for that many bytes of data, aligned.
template <std::size_t Size>
union control_buffer {
    cmsghdr alignment;
    std::array<std::byte, Size> bytes;
};

bool is_same_file(const struct stat& a, const struct stat& b) noexcept {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Is the file at `at` a socket that nobody listens to? Then it is removed.
bool remove_stale(int type, const sockaddr* at, socklen_t size) noexcept {
    const char* const path = reinterpret_cast<const sockaddr_un*>(at)->sun_path;
    struct stat before {};
    struct stat now {};
    if (path[0] == '\0' || ::lstat(path, &before) != 0 || !S_ISSOCK(before.st_mode)) {
        return false;
    }
    const int probe = make_unix(type);
    if (probe < 0) {
        return false;
    }
    // EPROTOTYPE and EAGAIN come from sockets that are alive.
    const bool refused = sys::real.connect(probe, at, size) != 0 && errno == ECONNREFUSED;
    net::close(probe);
    // The file may have become another's meanwhile.
    return refused && ::lstat(path, &now) == 0 && is_same_file(before, now) && ::unlink(path) == 0;
}

} // namespace

int make_unix(int type) noexcept {
    return make_socket(AF_UNIX, type, 0, kind_of(type));
}

int unix_pair(int type, int (&ends)[2]) noexcept {
    if (sys::real.socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        return -errno;
    }
    adopt_new(ends[0], kind_of(type));
    adopt_new(ends[1], kind_of(type));
    return 0;
}

int connect_unix(const sockaddr* to, socklen_t size, time_point deadline) noexcept {
    const int fd = make_unix(SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    io::options o;
    o.deadline = deadline;
    const int r = io::connect(fd, to, size, o);
    if (r < 0) {
        net::close(fd);
        return r;
    }
    return fd;
}

int bind_unix(int fd, const sockaddr* at, socklen_t size, bool replace_stale) noexcept {
    if (sys::real.bind(fd, at, size) == 0) {
        return 0;
    }
    int error = errno;
    if (error == EADDRINUSE && replace_stale) {
        const int type = get_option(fd, SOL_SOCKET, SO_TYPE);
        if (remove_stale(type, at, size)) {
            error = sys::real.bind(fd, at, size) == 0 ? 0 : errno;
        }
    }
    return -error;
}

ssize_t send_fds(int fd, const void* data, std::size_t size, const int* fds, std::size_t count,
                 io::options& o) noexcept {
    if (count > most_fds) {
        return -EINVAL;
    }
    control_buffer<CMSG_SPACE(most_fds * sizeof(int))> control{};
    iovec bytes{const_cast<void*>(data), size};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    return io::sendmsg(fd, &message, MSG_NOSIGNAL, o);
}

namespace {

/// Takes the fds out of a message that was received.
void collect(msghdr& message, fd_batch& came) noexcept {
    for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        // One message has one such header, of at most SCM_MAX_FD.
        came.count = std::min((h->cmsg_len - CMSG_LEN(0)) / sizeof(int), most_fds);
        std::memcpy(came.fds.data(), CMSG_DATA(h), came.count * sizeof(int));
    }
}

} // namespace

int receive_fds(int fd, void* buffer, std::size_t& size, fd_batch& came, std::size_t room,
                io::options& o) noexcept {
    // Beside the fds there may be credentials, if the program has set SO_PASSCRED.
    constexpr std::size_t others = CMSG_SPACE(sizeof(ucred));
    control_buffer<others + CMSG_SPACE(most_fds * sizeof(int))> control;
    room = std::min(room, most_fds);
    iovec bytes{buffer, size};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = others + CMSG_SPACE(room * sizeof(int));
    // MSG_TRUNC: the full length of a datagram; of a stream it would discard the bytes.
    const bool stream = get_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
    const int flags = MSG_CMSG_CLOEXEC | (stream ? 0 : MSG_TRUNC);
    const ssize_t n = io::recvmsg(fd, &message, flags, o);
    if (n < 0) {
        size = 0;
        return static_cast<int>(n);
    }
    collect(message, came);
    const auto full_size = static_cast<std::size_t>(n);
    const bool all_bytes = full_size <= size;
    const bool fds_cut = (message.msg_flags & MSG_CTRUNC) != 0;
    size = std::min(size, full_size);
    if (all_bytes && came.count <= room && !fds_cut) {
        return 0;
    }
    // The kernel installs as many as it can, and drops the rest.
    const int error = all_bytes && came.count < room ? EMFILE : EMSGSIZE;
    while (came.count > 0) {
        net::close(came.fds[--came.count]);
    }
    return -error;
}

} // namespace tendril::detail::net
