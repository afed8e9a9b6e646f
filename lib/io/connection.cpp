// SPDX-License-Identifier: BSL-1.0
#include "io/operation.hpp"
#include "io/patient_calls.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace tendril::detail::io {

namespace {

bool is_nonblocking(int fd) noexcept {
    const int flags = sys::real.fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

bool listens(int fd) noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    return sys::real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

/// accept4 on a worker, which may block there: see patient_call.
class accept_call final : public patient_call {
public:
    ~accept_call() override { discard(); }

    /// Hands the connection over as accept4 does.
    int give(sockaddr* peer, socklen_t* peer_size, int flags) noexcept {
        const auto fd = static_cast<int>(std::exchange(result_, -ECANCELED));
        if (fd < 0) {
            return fd;
        }
        if (peer != nullptr && peer_size != nullptr) {
            std::memcpy(peer, &peer_, std::min(*peer_size, peer_size_));
            *peer_size = peer_size_;
        }
        if ((flags & SOCK_CLOEXEC) == 0) {
            sys::real.fcntl(fd, F_SETFD, 0);
        }
        if ((flags & SOCK_NONBLOCK) != 0) {
            sys::real.fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
        }
        return fd;
    }

private:
    ssize_t perform(int fd) noexcept override {
        return result_of(
            sys::real.accept4(fd, reinterpret_cast<sockaddr*>(&peer_), &peer_size_, SOCK_CLOEXEC));
    }
    bool worth_keeping() const noexcept override { return result_ >= 0; }
    void discard() noexcept override {
        if (result_ >= 0) {
            sys::real.close(static_cast<int>(std::exchange(result_, -ECANCELED)));
        }
    }

    sockaddr_storage peer_{};
    socklen_t peer_size_ = sizeof peer_;
};

/// What is asked for by accept4.
struct wanted_connection {
    int fd;
    sockaddr* peer;
    socklen_t* peer_size;
    int flags;

    int take(patient_calls& calls) const noexcept {
        const auto call = calls.take();
        return call == nullptr ? -EAGAIN
                               : static_cast<accept_call&>(*call).give(peer, peer_size, flags);
    }
};

/// accept has no MSG_DONTWAIT, and after poll another thread or process may be faster. Where
/// io_uring is refused, a worker makes the call as soon as there is a connection; when it is taken
/// away, the worker waits for the next one, and the hub goes on.
int accept_patiently(patient_calls& calls, const wanted_connection& wanted) noexcept {
    try {
        if (const int error = calls.start(std::make_shared<accept_call>()); error < 0) {
            return error;
        }
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    return wanted.take(calls);
}

/// One attempt that does not block, or -EAGAIN. The flag is asked each time: blocking the hub for a
/// wrong memory of it would be worse than the 60 ns.
int try_accept(hub_io& io, patient_calls& calls, const wanted_connection& wanted) noexcept {
    const auto& [fd, peer, peer_size, flags] = wanted;
    if (const int r = wanted.take(calls); r != -EAGAIN) {
        return r;
    }
    if (!is_nonblocking(fd)) {
        pollfd p{fd, POLLIN, 0};
        // What does not listen is refused by accept4 at once, but poll may find it quiet.
        if (sys::real.poll(&p, 1, 0) == 0 && listens(fd)) {
            return -EAGAIN;
        }
        const int r = io.accept(fd, peer, peer_size, flags);
        return r == -EOPNOTSUPP ? accept_patiently(calls, wanted) : r;
    }
    return result_of(sys::real.accept4(fd, peer, peer_size, flags));
}

/// connect(2) that does not block. The flag belongs to the description, so it is put back before
/// anybody can notice.
int start_connect(int fd, const sockaddr* to, socklen_t to_size) noexcept {
    const int flags = sys::real.fcntl(fd, F_GETFL);
    if (flags < 0) {
        return -errno;
    }
    if ((flags & O_NONBLOCK) != 0) {
        return result_of(sys::real.connect(fd, to, to_size));
    }
    sys::real.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    const int r = result_of(sys::real.connect(fd, to, to_size));
    sys::real.fcntl(fd, F_SETFL, flags);
    return r;
}

/// The outcome of an attempt in progress, or -EALREADY. Asked by connecting again: SO_ERROR tells
/// it too, but leaves the socket in its connecting state, so the program's next connect would give
/// 0 or ECONNABORTED in place of EISCONN or its own outcome.
int connect_outcome(int fd, const sockaddr* to, socklen_t to_size) noexcept {
    const int r = start_connect(fd, to, to_size);
    return r == -EISCONN ? 0 : r;
}

} // namespace

int accept4(int fd, sockaddr* peer, socklen_t* peer_size, int flags, options& o) noexcept {
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0) {
        // Before it waits, as the kernel does, which looks at the fd first.
        return sys::real.fcntl(fd, F_GETFD) < 0 ? -errno : -EINVAL;
    }
    patient_calls calls(fd, true);
    operation op(fd, inwards, wait_kind::accept, "accept", o);
    if (op.error() != 0) {
        return op.error();
    }
    op.mind(calls);
    // Also after an error: the connection that EMFILE left waiting is the next acceptor's.
    const wanted_connection wanted{fd, peer, peer_size, flags};
    const int made = static_cast<int>(
        op.run_long([&] { return static_cast<ssize_t>(try_accept(op.io(), calls, wanted)); }));
    if (made >= 0) {
        if (fd_entry* e = fd_table::find(made)) {
            fd_table::forget(made, *e); // what had this number before was closed behind our back
        }
        made_here(made);
    }
    return made;
}

int shutdown(int fd, int how) noexcept {
    const int r = result_of(sys::real.shutdown(fd, how));
    // After an error too: it may be that of a socket without a connection, whose waiters are woken.
    if (fd_entry* e = fd_table::find(fd); e != nullptr && fd_table::ours()) {
        fd_table::nudge(*e);
    }
    return r;
}

int connect(int fd, const sockaddr* to, socklen_t to_size, options& o) noexcept {
    operation op(fd, outwards, wait_kind::connect, "connect", o);
    if (op.error() != 0) {
        return op.error();
    }
    op.io().distrust(fd);
    std::chrono::microseconds pause{200};
    int r = start_connect(fd, to, to_size);
    // AF_UNIX: the listener's queue is full, and nothing reports when it no longer is.
    while (r == -EAGAIN) {
        pause = std::min(pause * 2, std::chrono::microseconds(10'000));
        if (const int end = op.wait_until(op.io().hub().now() + pause); end != 0) {
            return end;
        }
        r = op.attempt([&] { return start_connect(fd, to, to_size); });
    }
    // EALREADY: an attempt that an earlier call gave up waiting for goes on.
    if (r != -EINPROGRESS && r != -EALREADY) {
        op.done(true);
        return r;
    }
    op.expires_with(r);
    do {
        if (const int end = op.wait(); end != 0) {
            return end == -EAGAIN ? r : end;
        }
        r = op.attempt([&] { return connect_outcome(fd, to, to_size); });
    } while (r == -EAGAIN || r == -EALREADY);
    op.done(true);
    return r;
}

} // namespace tendril::detail::io
