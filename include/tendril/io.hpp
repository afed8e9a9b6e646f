// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/task.hpp>
#include <tendril/export.hpp>

#include <chrono>
#include <cstddef>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace tendril {
inline namespace v1 {

/// The blocking calls of POSIX on plain file descriptors, for fibers: where the call would block
/// the thread, it parks the calling fiber, and others run.
///
/// Common to all of them:
/// - Names, parameters, and results are those of POSIX and Linux (the man page of the same name
///   applies), but an error is thrown: std::system_error with the real errno in
///   std::system_category(), and what was being done, as in `recv fd 7`.
/// - They wait for their outcome also when the fd has O_NONBLOCK set, and never change its flags.
///   MSG_DONTWAIT never waits: EAGAIN.
/// - The last parameter, where given, limits the wait: a `std::chrono` duration (zero or negative:
///   one attempt) or a point of std::chrono::steady_clock. Too late is ETIMEDOUT; what was
///   transferred by then is returned instead. SO_RCVTIMEO and SO_SNDTIMEO count for programs under
///   the shim only.
/// - Buffers belong to the caller, and must stay until the call returns.
/// - Any number of fibers of any threads may use one fd at once. To close it, use io::close(): it
///   wakes those who wait for the fd, with EBADF.
/// - ECANCELED: the thread ends. A cancelled fiber: `cancelled`, see <tendril/cancel.hpp>.
/// - They switch only if they must wait, and after 64 calls in a row that did not. On a thread
///   without a hub they make one; the thread then waits as its main fiber.
/// - Regular files are read and written at once, and may block the thread on the disk.
/// - Terminals are written to by a worker thread, in parts of at most 4096 bytes; a part that is on
///   its way when a wait is given up is written nevertheless. Reading one in the moment in which
///   another process takes the input blocks the thread until there is more.
namespace io {

/// The time limit of a call, absolute. Converts from durations and time points.
class deadline {
public:
    using clock = std::chrono::steady_clock;

    deadline() noexcept = default; ///< none

    template <typename Duration>
    deadline(const std::chrono::time_point<clock, Duration>& at)
        : at_(std::chrono::time_point_cast<clock::duration>(at)) {}

    template <typename Rep, typename Period>
    deadline(const std::chrono::duration<Rep, Period>& from_now)
        : at_(detail::deadline_after(from_now)) {}

    clock::time_point at() const noexcept { return at_; }

private:
    clock::time_point at_ = clock::time_point::max();
};

/// Reads up to `size` bytes into `buffer`, waiting until there are some. 0: the end. See read(2).
TENDRIL_EXPORT std::size_t read(int fd, void* buffer, std::size_t size, deadline limit = {});

/// Writes all of `size` bytes, waiting for room as often as necessary. Returns less only if the
/// limit passed or an error came after the first part (the next call reports it). See write(2);
/// SIGPIPE is raised as there.
TENDRIL_EXPORT std::size_t write(int fd, const void* buffer, std::size_t size, deadline limit = {});

/// Like read(), into `count` buffers one after the other. See readv(2).
TENDRIL_EXPORT std::size_t readv(int fd, const iovec* buffers, int count, deadline limit = {});

/// Like write(), from `count` buffers one after the other. The array stays unchanged. See
/// writev(2).
TENDRIL_EXPORT std::size_t writev(int fd, const iovec* buffers, int count, deadline limit = {});

/// Receives from a socket, waiting until there is something. 0: the peer has closed, or an empty
/// datagram. `flags` as in recv(2); MSG_WAITALL waits for the full size.
TENDRIL_EXPORT std::size_t recv(int fd, void* buffer, std::size_t size, int flags = 0,
                                deadline limit = {});

/// Like recv(), and tells who sent it. `from` and `from_size` may be null. See recvfrom(2).
TENDRIL_EXPORT std::size_t recvfrom(int fd, void* buffer, std::size_t size, int flags,
                                    sockaddr* from, socklen_t* from_size, deadline limit = {});

/// Like recv(), with several buffers and control messages. See recvmsg(2).
TENDRIL_EXPORT std::size_t recvmsg(int fd, msghdr* message, int flags = 0, deadline limit = {});

/// Sends all of `size` bytes (stream sockets: waiting for room as often as necessary; see write()),
/// or one datagram. `flags` as in send(2).
TENDRIL_EXPORT std::size_t send(int fd, const void* buffer, std::size_t size, int flags = 0,
                                deadline limit = {});

/// Like send(), to an address. An AF_UNIX receiver whose queue is full is tried again until it has
/// room. See sendto(2).
TENDRIL_EXPORT std::size_t sendto(int fd, const void* buffer, std::size_t size, int flags,
                                  const sockaddr* to, socklen_t to_size, deadline limit = {});

/// Like send(), with several buffers and control messages, which go with the first part. See
/// sendmsg(2).
TENDRIL_EXPORT std::size_t sendmsg(int fd, const msghdr* message, int flags = 0,
                                   deadline limit = {});

/// Receives up to `count` messages, waiting for all of them (MSG_WAITFORONE: for the first only),
/// and returns how many came; fewer if the limit passed or an error came after the first. `flags`
/// holds for each. See recvmmsg(2).
TENDRIL_EXPORT unsigned recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags = 0,
                                 deadline limit = {});

/// Sends `count` messages (at most 1024), each as sendmsg() does, and returns how many were sent;
/// fewer if the limit passed or an error came after the first. See sendmmsg(2).
TENDRIL_EXPORT unsigned sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags = 0,
                                 deadline limit = {});

/// Sends up to `count` bytes of a file, waiting for room as often as necessary, from `*offset` on,
/// which moves, or, if that is null, from the file's own position, which moves. Returns less than
/// `count` if the file ends (0: it had ended), if the limit passed or an error came after the first
/// part, and at most 2,147,479,552. SIGPIPE is raised as for write(). See sendfile(2).
///
/// The kernel copies if `out` has O_NONBLOCK set, as sockets of net:: have, or is a file. Otherwise
/// the bytes pass through a buffer here, because sendfile(2) would block the thread. If `in` is a
/// pipe it does block the thread.
TENDRIL_EXPORT std::size_t sendfile(int out, int in, off_t* offset, std::size_t count,
                                    deadline limit = {});

/// Accepts a connection, waiting for one, and returns its fd, which the caller owns. `peer` and
/// `peer_size` may be null. `flags`: SOCK_CLOEXEC, SOCK_NONBLOCK. See accept4(2).
/// Where io_uring is refused (many containers), on a listener without O_NONBLOCK, a worker thread
/// makes the call once there is a connection. If the limit passes meanwhile, the connection is the
/// next acceptor's. If another process took the connection first, the worker waits for the next,
/// and keeps the listener alive until then, even if it is closed here.
/// @throws std::system_error EMFILE, ENFILE: no fd is left; the connection stays in the queue, and
/// everyone who waits for it is told.
TENDRIL_EXPORT int accept4(int fd, sockaddr* peer, socklen_t* peer_size, int flags,
                           deadline limit = {});

/// Connects a socket, waiting for the outcome. After ETIMEDOUT of the limit (and ECANCELED) the
/// attempt goes on: call again to wait for it, or close the fd. See connect(2).
/// @throws std::system_error ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT (also the kernel's own)…
TENDRIL_EXPORT void connect(int fd, const sockaddr* to, socklen_t to_size, deadline limit = {});

/// Ends one or both directions of a connection; fibers that wait in that direction go on. Never
/// waits. See shutdown(2).
TENDRIL_EXPORT void shutdown(int fd, int how);

/// Waits until one of the fds is ready, and returns how many are; 0 when the limit has passed. As
/// poll(2): negative fds are ignored, `revents` is filled in, none at all is a sleep. An fd that is
/// closed meanwhile shows POLLNVAL.
TENDRIL_EXPORT int poll(pollfd* fds, nfds_t count, deadline limit = {});

/// Likewise by sets, which may be null, and larger than FD_SETSIZE if `nfds` says so. As select(2),
/// but without a time that counts down.
TENDRIL_EXPORT int select(int nfds, fd_set* readable, fd_set* writable, fd_set* exceptional,
                          deadline limit = {});

/// Closes an fd, first waking every fiber that waits for it, on any thread, with EBADF. Never
/// waits. The number may be used again at once; nobody who waited for the old one touches the new
/// one. After an error (EIO…) the fd is closed as well, see close(2); only EBADF says that none was
/// open.
TENDRIL_EXPORT void close(int fd);

} // namespace io

} // namespace v1
} // namespace tendril
