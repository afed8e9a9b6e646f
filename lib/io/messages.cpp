// SPDX-License-Identifier: BSL-1.0
// recv, send and their kin: always with MSG_DONTWAIT, which leaves the description's flags alone.
#include "io/iov_cursor.hpp"
#include "io/operation.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstring>
#include <sys/ioctl.h>

namespace tendril::detail::io {

namespace {

/// Receiving that the kernel never blocks in, whatever the flags of the fd. (Sending urgent data
/// does block.)
constexpr int immediate = MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE;

/// Reads that take everything there is as bytes in order.
bool is_plain(int flags) noexcept {
    return (flags & ~(MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | MSG_WAITALL)) == 0;
}

bool is_stream(int fd) noexcept {
    const fd_kind kind = kind_of(fd);
    return kind == fd_kind::tcp || kind == fd_kind::stream;
}

template <typename Attempt>
ssize_t run_receive(operation& op, int flags, std::size_t size, Attempt&& attempt) noexcept {
    return is_plain(flags) ? op.run_read(size, attempt) : op.run(attempt);
}

/// A message was received: what had the numbers of the fds in it before was closed behind our back.
void meet_fds(msghdr& message) noexcept {
    for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= h->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, reinterpret_cast<const std::byte*>(h) + at, sizeof fd);
            closing(fd);
        }
    }
}

bool carries_fds(const msghdr& message) noexcept {
    auto* const whole = const_cast<msghdr*>(&message);
    for (cmsghdr* h = message.msg_control == nullptr ? nullptr : CMSG_FIRSTHDR(whole); h != nullptr;
         h = CMSG_NXTHDR(whole, h)) {
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
            return true;
        }
    }
    return false;
}

ssize_t received(ssize_t result, msghdr& message) noexcept {
    if (result >= 0 && message.msg_control != nullptr && message.msg_controllen != 0) {
        meet_fds(message);
    }
    return result;
}

int received(int result, mmsghdr* messages) noexcept {
    for (int i = 0; i < result; ++i) {
        received(0, messages[i].msg_hdr);
    }
    return result;
}

/// Where part of the work is done, TCP leaves an error to the next call; another attempt would take
/// it away. (AF_UNIX itself forgets it.)
bool has_failed(int fd) noexcept {
    pollfd p{fd, 0, 0};
    return kind_of(fd) == fd_kind::tcp && sys::real.poll(&p, 1, 0) > 0 &&
           (p.revents & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP);
}

bool has_data(int fd) noexcept {
    int queued = 0;
    return sys::real.ioctl(fd, FIONREAD, &queued) == 0 && queued > 0;
}

/// How much a blocking call waits for.
std::size_t target_of(int fd, std::size_t size, int flags, const options& o) noexcept {
    if (!is_stream(fd)) {
        return 1;
    }
    return (flags & MSG_WAITALL) != 0 ? size : o.as_program ? low_water(fd, size) : 1;
}

/// recv(MSG_PEEK | MSG_WAITALL) on TCP: waits until `size` bytes are there, or no more will come.
/// (On AF_UNIX the kernel waits for one part only.)
ssize_t peek_all(operation& op, void* buffer, std::size_t size, std::size_t target,
                 int flags) noexcept {
    for (;;) {
        const ssize_t n = op.attempt(
            [&] { return result_of(sys::real.recv(op.fd(), buffer, size, flags | MSG_DONTWAIT)); });
        const bool partial = n > 0 && static_cast<std::size_t>(n) < target;
        if ((n != -EAGAIN && !partial) || (partial && op.saw_end())) {
            op.done();
            return n;
        }
        if (partial) {
            op.did_part();
        }
        if (const int end = op.wait(); end != 0) {
            return partial ? n : end;
        }
    }
}

/// Goes on until `target` bytes have come.
ssize_t receive_all(operation& op, iov_cursor& rest, msghdr message, int flags, std::size_t target,
                    msghdr* result) noexcept {
    const auto controls = message.msg_controllen;
    ssize_t got = 0;
    for (;;) {
        message.msg_iov = rest.data_for_msghdr();
        message.msg_iovlen = rest.count();
        message.msg_controllen = controls;
        const std::size_t wanted = rest.left();
        const ssize_t n = run_receive(op, flags, wanted, [&]() -> ssize_t {
            if (got > 0 && has_failed(op.fd()) && !has_data(op.fd())) {
                return -EIO; // for none to see
            }
            return result_of(sys::real.recvmsg(op.fd(), &message, flags | MSG_DONTWAIT));
        });
        if (received(n, message) < 0) {
            return got > 0 ? got : n;
        }
        got += n;
        if (result != nullptr) {
            result->msg_namelen = message.msg_namelen;
            result->msg_controllen = message.msg_controllen;
            result->msg_flags = message.msg_flags;
        }
        const bool more = n > 0 && static_cast<std::size_t>(n) < wanted;
        // Control messages mark a boundary that WAITALL does not read past, see unix(7).
        const bool control = message.msg_control != nullptr && message.msg_controllen != 0;
        if (!more || control || static_cast<std::size_t>(got) >= target ||
            !rest.advance(static_cast<std::size_t>(n))) {
            return got;
        }
        op.did_part();
    }
}

/// After EAGAIN from a datagram: an AF_UNIX socket whose receiver is full looks writable, so there
/// would be no edge to wait for.
int wait_for_receiver(operation& op, std::chrono::microseconds& pause) noexcept {
    pollfd p{op.fd(), POLLOUT, 0};
    if (sys::real.poll(&p, 1, 0) <= 0 || kind_of(op.fd()) != fd_kind::message) {
        return op.wait();
    }
    pause = std::min(pause * 2, std::chrono::microseconds(10'000));
    return op.wait_until(op.io().hub().now() + pause);
}

/// A blocking send goes on until all is sent. `attempt(sent, flags)` sends the rest, with `flags`.
template <typename Attempt>
ssize_t run_send(operation& op, std::size_t size, int flags, Attempt&& attempt) noexcept {
    std::size_t sent = 0;
    std::chrono::microseconds pause{100};
    for (;;) {
        if (sent > 0 && has_failed(op.fd())) {
            op.done();
            return static_cast<ssize_t>(sent);
        }
        // An error after the first part is reported by the next call; so is its SIGPIPE.
        const int each = flags | (sent == 0 ? MSG_DONTWAIT : MSG_DONTWAIT | MSG_NOSIGNAL);
        const ssize_t n = op.attempt([&] { return attempt(sent, each); });
        int end = 0;
        if (n >= 0) {
            sent += static_cast<std::size_t>(n);
            if (sent >= size || !is_stream(op.fd())) {
                op.done();
                return static_cast<ssize_t>(sent);
            }
            op.did_part();
            if (n > 0 && kind_of(op.fd()) == fd_kind::stream) {
                op.restart(); // AF_UNIX waits anew for each buffer: sock_alloc_send_pskb
            }
        } else if (n == -EAGAIN) {
            end = wait_for_receiver(op, pause);
        } else if (n == -EINPROGRESS) {
            // TCP Fast Open without a cookie: the connection must be there first.
            flags &= ~MSG_FASTOPEN;
            end = op.wait();
            end = end == -EAGAIN ? -EINPROGRESS : end;
        } else {
            op.done();
            end = static_cast<int>(n);
        }
        if (end != 0) {
            return sent > 0 ? static_cast<ssize_t>(sent) : end;
        }
    }
}

} // namespace

// ---------------------------------------------------------------------------------------- receive

ssize_t recvfrom(int fd, void* buffer, std::size_t size, int flags, sockaddr* from,
                 socklen_t* from_size, options& o) noexcept {
    if ((flags & immediate) != 0) {
        return result_of(sys::real.recvfrom(fd, buffer, size, flags, from, from_size));
    }
    operation op(fd, inwards, wait_kind::read, from == nullptr ? "recv" : "recvfrom", o);
    if (op.error() != 0) {
        return op.error();
    }
    if (const std::size_t target = target_of(fd, size, flags, o); target > 1) {
        if ((flags & MSG_PEEK) != 0) {
            return kind_of(fd) == fd_kind::tcp
                       ? peek_all(op, buffer, size, target, flags)
                       : op.run([&] {
                             return result_of(sys::real.recvfrom(
                                 fd, buffer, size, flags | MSG_DONTWAIT, from, from_size));
                         });
        }
        const iovec iov{buffer, size};
        iov_cursor rest(&iov, 1);
        msghdr message{};
        message.msg_name = from;
        message.msg_namelen = from_size == nullptr ? 0 : *from_size;
        const ssize_t n = receive_all(op, rest, message, flags, target, &message);
        if (n >= 0 && from_size != nullptr) {
            *from_size = message.msg_namelen;
        }
        return n;
    }
    const ssize_t n = run_receive(op, flags, size, [&] {
        return result_of(
            sys::real.recvfrom(fd, buffer, size, flags | MSG_DONTWAIT, from, from_size));
    });
    // What Linux says of nothing that was asked for in vain: tcp_recvmsg_locked ends its loop.
    const bool vain = n == -EAGAIN && size == 0 && o.waited && kind_of(fd) == fd_kind::tcp;
    return vain ? 0 : n;
}

ssize_t recv(int fd, void* buffer, std::size_t size, int flags, options& o) noexcept {
    return recvfrom(fd, buffer, size, flags, nullptr, nullptr, o);
}

ssize_t recvmsg(int fd, msghdr* message, int flags, options& o) noexcept {
    if ((flags & immediate) != 0 || message->msg_iovlen > IOV_MAX) { // EMSGSIZE, unread
        return received(result_of(sys::real.recvmsg(fd, message, flags)), *message);
    }
    operation op(fd, inwards, wait_kind::read, "recvmsg", o);
    if (op.error() != 0) {
        return op.error();
    }
    const std::size_t size = total_size(message->msg_iov, message->msg_iovlen);
    const std::size_t target = (flags & MSG_PEEK) != 0 ? 1 : target_of(fd, size, flags, o);
    const ssize_t n = [&] {
        if (target > 1) {
            iov_cursor rest(message->msg_iov, message->msg_iovlen);
            return receive_all(op, rest, *message, flags, target, message);
        }
        return run_receive(op, flags, size, [&] {
            return result_of(sys::real.recvmsg(fd, message, flags | MSG_DONTWAIT));
        });
    }();
    return received(n, *message);
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, options& o) noexcept {
    if ((flags & immediate) != 0) {
        return received(result_of(sys::real.recvmmsg(fd, messages, count, flags, nullptr)),
                        messages);
    }
    operation op(fd, inwards, wait_kind::read, "recvmmsg", o);
    if (op.error() != 0) {
        return op.error();
    }
    const int each = (flags & ~MSG_WAITFORONE) | MSG_DONTWAIT;
    unsigned got = 0;
    for (;;) {
        mmsghdr* const next = messages + got;
        const int n = op.attempt([&] {
            return received(result_of(sys::real.recvmmsg(fd, next, count - got, each, nullptr)),
                            next);
        });
        if (n > 0) {
            got += static_cast<unsigned>(n);
            op.restart(); // each is a call of its own to the kernel
            op.did_part();
        }
        const bool enough = got == count || (got > 0 && (flags & MSG_WAITFORONE) != 0);
        int end = 0;
        if (enough || (n < 0 && n != -EAGAIN)) {
            op.done();
            end = n;
        } else if (n == -EAGAIN) {
            end = op.wait();
        }
        if (enough || end < 0) {
            return got > 0                             ? static_cast<int>(got)
                   : end == -ETIMEDOUT && o.as_program ? -EAGAIN
                                                       : end;
        }
    }
}

// ------------------------------------------------------------------------------------------- send

ssize_t sendto(int fd, const void* buffer, std::size_t size, int flags, const sockaddr* to,
               socklen_t to_size, options& o) noexcept {
    if ((flags & MSG_DONTWAIT) != 0) {
        return result_of(sys::real.sendto(fd, buffer, size, flags, to, to_size));
    }
    operation op(fd, outwards, wait_kind::write, to == nullptr ? "send" : "sendto", o);
    if (op.error() != 0) {
        return op.error();
    }
    return run_send(op, size, flags, [&](std::size_t sent, int each) {
        return result_of(sys::real.sendto(fd, static_cast<const std::byte*>(buffer) + sent,
                                          size - sent, each, to, to_size));
    });
}

ssize_t send(int fd, const void* buffer, std::size_t size, int flags, options& o) noexcept {
    return sendto(fd, buffer, size, flags, nullptr, 0, o);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags, options& o) noexcept {
    if (carries_fds(*message)) {
        descriptions_shared();
    }
    if ((flags & MSG_DONTWAIT) != 0 || message->msg_iovlen > IOV_MAX) {
        return result_of(sys::real.sendmsg(fd, message, flags));
    }
    operation op(fd, outwards, wait_kind::write, "sendmsg", o);
    if (op.error() != 0) {
        return op.error();
    }
    iov_cursor rest(message->msg_iov, message->msg_iovlen);
    msghdr part = *message;
    std::size_t sent_before = 0;
    return run_send(op, rest.left(), flags, [&](std::size_t sent, int each) -> ssize_t {
        if (sent != sent_before) {
            if (!rest.advance(sent - sent_before)) {
                return -ENOMEM;
            }
            sent_before = sent;
            part.msg_control = nullptr; // went with the first part
            part.msg_controllen = 0;
        }
        part.msg_iov = rest.data_for_msghdr();
        part.msg_iovlen = rest.count();
        return result_of(sys::real.sendmsg(fd, &part, each));
    });
}

int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags, options& o) noexcept {
    if ((flags & MSG_DONTWAIT) != 0) {
        if (std::any_of(messages, messages + count,
                        [](const mmsghdr& m) { return carries_fds(m.msg_hdr); })) {
            descriptions_shared();
        }
        return result_of(sys::real.sendmmsg(fd, messages, count, flags));
    }
    count = std::min(count, unsigned{IOV_MAX}); // sendmmsg(2): UIO_MAXIOV, silently
    unsigned sent = 0;
    for (; sent < count; ++sent) {
        const ssize_t n = sendmsg(fd, &messages[sent].msg_hdr, flags, o);
        if (n < 0) {
            return sent > 0 ? static_cast<int>(sent) : static_cast<int>(n);
        }
        messages[sent].msg_len = static_cast<unsigned>(n);
    }
    return static_cast<int>(sent);
}

} // namespace tendril::detail::io
