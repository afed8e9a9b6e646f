// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"
#include "hub/wait_reason.hpp"

#include <cstddef>
#include <cstdint>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/// The blocking calls of libc, as a fiber sees them: each parks the calling fiber where the kernel
/// would block the thread. On a thread without a hub they make one.
///
/// Every operation returns what its namesake returns (>= 0), or a negative errno. None of them
/// promises anything about errno itself. None throws.
///
/// Beside the namesake's own errors:
///   -ETIMEDOUT  options::deadline passed before anything was done (with bytes done: their number)
///   -EINTR      with options::as_program: a signal handler ran that would end the call, signal(7)
///   -EBADF      the fd was closed or replaced while this waited for it
///   -ECANCELED  the fiber was cancelled, or its hub ends
namespace tendril::detail::io {

struct options {
    /// Absolute, on the hub's clock (std::chrono::steady_clock). In the past: one attempt is made.
    time_point deadline = never;

    /// True for the shims: the call means what it would mean without Tendril. O_NONBLOCK set by the
    /// program gives -EAGAIN (connect: -EINPROGRESS), SO_RCVTIMEO and SO_SNDTIMEO apply as in
    /// socket(7), MSG_DONTWAIT never waits. False for our own interfaces: every call waits for its
    /// outcome, whatever flags the fd has (MSG_DONTWAIT still never waits), and only `deadline`
    /// counts.
    bool as_program = false;

    /// Out: the call parked at least once (the statistics of the shims).
    bool waited = false;

    /// False: cancellation and timeouts of the fiber do not end it. Only process::wait4 heeds this.
    bool cancellable = true;

    /// The hub's switches() when the call first waited; 0: it has not. Signals count from then on.
    std::uint64_t begun = 0;

    /// The call has done a part already, by an operation before this one.
    bool part_done = false;

    /// Shown in dumps in place of the operation's own name; a literal.
    const char* what = nullptr;
};

// --- bytes: read(2), readv(2), preadv2(2); blocking writes go on until all is written ------------
ssize_t read(int fd, void* buffer, std::size_t size, options& o) noexcept;
ssize_t write(int fd, const void* buffer, std::size_t size, options& o) noexcept;
ssize_t readv(int fd, const iovec* iov, int count, options& o) noexcept;
ssize_t writev(int fd, const iovec* iov, int count, options& o) noexcept;
/// offset -1 means the current position, as in preadv2(2); then these wait like readv and writev.
ssize_t preadv2(int fd, const iovec* iov, int count, off_t offset, int flags, options& o) noexcept;
ssize_t pwritev2(int fd, const iovec* iov, int count, off_t offset, int flags, options& o) noexcept;

// --- messages: recv(2), send(2), recvmmsg(2) -----------------------------------------------------
ssize_t recv(int fd, void* buffer, std::size_t size, int flags, options& o) noexcept;
ssize_t recvfrom(int fd, void* buffer, std::size_t size, int flags, sockaddr* from,
                 socklen_t* from_size, options& o) noexcept;
ssize_t recvmsg(int fd, msghdr* message, int flags, options& o) noexcept;
/// The timeout of recvmmsg(2) is `o.deadline`. Unlike there (BUGS) it also ends a wait: with what
/// has come, or -EAGAIN. MSG_WAITFORONE counts.
int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, options& o) noexcept;
ssize_t send(int fd, const void* buffer, std::size_t size, int flags, options& o) noexcept;
ssize_t sendto(int fd, const void* buffer, std::size_t size, int flags, const sockaddr* to,
               socklen_t to_size, options& o) noexcept;
ssize_t sendmsg(int fd, const msghdr* message, int flags, options& o) noexcept;
int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags, options& o) noexcept;

/// sendfile(2). `flags`: 0 or MSG_NOSIGNAL. Goes on until `count` bytes are sent or the file ends.
ssize_t sendfile(int out, int in, off_t* offset, std::size_t count, int flags, options& o) noexcept;

// --- connections ---------------------------------------------------------------------------------
int accept4(int fd, sockaddr* peer, socklen_t* peer_size, int flags, options& o) noexcept;
/// After -ETIMEDOUT or -ECANCELED the attempt goes on in the kernel, as after EINTR in connect(2).
int connect(int fd, const sockaddr* to, socklen_t to_size, options& o) noexcept;

/// Wakes those who wait for fd, also where the kernel's epoll is silent: on AF_UNIX a writer whose
/// direction ends.
int shutdown(int fd, int how) noexcept;

// --- waiting for readiness: the deadline passed is 0, as in poll(2) ------------------------------
/// For one fd. `events` and the result are bits of poll(2); POLLNVAL for a bad or closed fd.
int wait(int fd, short events, options& o, interruption by_signals = interruption::always) noexcept;
int poll(pollfd* fds, nfds_t count, options& o) noexcept;
/// Sets of any size: `nfds` may exceed FD_SETSIZE if the sets do. The remaining time is the
/// caller's to compute.
int select(int nfds, fd_set* in, fd_set* out, fd_set* pri, options& o) noexcept;
/// Of an epoll fd of the program.
int epoll_wait(int epfd, epoll_event* events, int max_events, options& o) noexcept;
/// 0 when `until` has come, or -ECANCELED. The deadline in `o` is ignored.
int sleep(time_point until, options& o) noexcept;

// --- the life of an fd ---------------------------------------------------------------------------
/// Must be called before an fd is closed or replaced by a call that Tendril does not make itself
/// (fclose, dup2 in a library…): withdraws it from every hub and wakes its waiters with -EBADF. Any
/// thread, hub or not; never makes a hub. Harmless for an fd that is not known or not open.
void closing(int fd) noexcept;
void closing_range(unsigned first, unsigned last) noexcept; ///< both included, as in close_range(2)

/// These do not touch the fds that hubs live on (sys/own_fds.hpp): to the program they are not
/// open (close: EBADF; dup2: EBUSY). Programs close 'all' fds when they become daemons.
int close(int fd) noexcept;
int dup2(int from, int to) noexcept;
int dup3(int from, int to, int flags) noexcept;

/// The program got `to` by dup(from) or the like; does nothing if it is negative.
void duplicated(int from, int to) noexcept;

// --- flags ---------------------------------------------------------------------------------------
/// Says that this socket was made by Tendril with SOCK_NONBLOCK, which the program must not see:
/// get_flags hides it, and shims treat the fd as blocking until the program sets O_NONBLOCK itself.
/// Ends when the description gets a second owner: see descriptions_shared().
void hide_nonblock(int fd) noexcept;

/// This process has just made the socket, so nobody else can change its flags until it is shared.
/// Without it they are asked for at each wait.
void made_here(int fd) noexcept;

/// fcntl(F_GETFL), fcntl(F_SETFL) and ioctl(FIONBIO) as the program means them.
int get_flags(int fd) noexcept;
int set_flags(int fd, int flags) noexcept;
int set_nonblock(int fd, bool on) noexcept;

/// The program changed flags by a way other than the above: what is cached about descriptions (fds
/// may share one) is read again.
void descriptions_changed() noexcept;

/// The program is about to give descriptions to another process, by fork or SCM_RIGHTS: from now on
/// others may change what is there by now, and must not see an O_NONBLOCK that is hidden.
void descriptions_shared() noexcept;

/// setsockopt(SOL_SOCKET, `option`) has succeeded: SO_RCVTIMEO, SO_SNDTIMEO (in either of their two
/// numbers) and SO_RCVLOWAT hold for waits in the hub.
void option_changed(int fd, int option, const void* value) noexcept;

} // namespace tendril::detail::io
