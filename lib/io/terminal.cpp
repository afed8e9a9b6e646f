// SPDX-License-Identifier: BSL-1.0
#include "io/terminal.hpp"

#include "io/operation.hpp"
#include "io/patient_calls.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <termios.h>
#include <vector>

namespace tendril::detail::io {

namespace {

constexpr std::size_t most_per_call = 4096;

bool is_nonblocking(int fd) noexcept {
    const int flags = sys::real.fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

/// The events of poll that are there.
short readiness_of(int fd, short events) noexcept {
    pollfd p{fd, events, 0};
    return sys::real.poll(&p, 1, 0) > 0 ? p.revents : short{0};
}

/// Job control is looked at when a call begins, not when there is input or room. A call of no bytes
/// lets the kernel do it: SIGTTIN or SIGTTOU to the process group, or EIO. Only for processes in
/// the background, because it might wait for a reader or writer in another one.
bool in_background(int fd) noexcept {
    const pid_t foreground = ::tcgetpgrp(fd); // fails unless it is our controlling terminal
    return foreground >= 0 && foreground != ::getpgrp();
}

/// When read(2) returns, by termios(3).
struct reading_rules {
    bool line = true; ///< canonical mode, and the master of a pseudo-terminal: poll knows
    std::size_t least = 1;
    std::chrono::milliseconds time{0};
};

bool is_master(int fd) noexcept {
    int number = 0;
    return sys::real.ioctl(fd, TIOCGPTN, &number) == 0;
}

int rules_of(int fd, reading_rules& rules) noexcept {
    termios settings{};
    if (::tcgetattr(fd, &settings) != 0) {
        return -errno;
    }
    // What a master answers is the other side's.
    rules.line = (settings.c_lflag & ICANON) != 0 || is_master(fd);
    if (!rules.line) {
        rules.least = settings.c_cc[VMIN];
        rules.time = std::chrono::milliseconds(100 * settings.c_cc[VTIME]);
    }
    return 0;
}

std::size_t waiting_input(int fd) noexcept {
    int queued = 0;
    return sys::real.ioctl(fd, FIONREAD, &queued) == 0 && queued > 0
               ? static_cast<std::size_t>(queued)
               : 0;
}

/// Waits in VMIN and VTIME's place. 1: read at most `size`, which then does not wait; 0: the time
/// is up, with nothing; else -errno.
int wait_for_bytes(operation& op, const reading_rules& rules, std::size_t& size) noexcept {
    constexpr auto retry = std::chrono::milliseconds(10);
    const std::size_t least = std::min(rules.least, size);
    hub_core& hub = op.io().hub();
    const bool timed = rules.time.count() != 0;
    time_point limit = timed && least == 0 ? hub.now() + rules.time : never;
    std::size_t known = 0;
    for (;;) {
        const std::size_t there = waiting_input(op.fd());
        const bool ended = (readiness_of(op.fd(), 0) & (POLLHUP | POLLERR)) != 0;
        if (there >= std::max<std::size_t>(least, 1) || ended || (least == 0 && !timed)) {
            size = there == 0 ? size : std::min(size, there);
            return 1;
        }
        if (timed && least != 0 && there > known) {
            known = there;
            limit = hub.now() + rules.time; // between bytes
        }
        if (hub.now() >= limit) {
            size = std::min(size, there);
            return there == 0 ? 0 : 1;
        }
        // Without VTIME there is no edge for fewer than VMIN bytes, though they may suffice here.
        const bool silent = !timed && least < rules.least;
        if (const int end = op.wait_until(silent ? hub.now() + retry : limit, readiness::in);
            end != 0) {
            return end;
        }
    }
}

/// Reads the `size` bytes that are there: asking for more would wait.
ssize_t read_exactly(int fd, const iovec* iov, std::size_t size) noexcept {
    ssize_t got = 0;
    for (; size > 0; ++iov) {
        const std::size_t wanted = std::min(iov->iov_len, size);
        const ssize_t n = wanted == 0 ? 0 : result_of(sys::real.read(fd, iov->iov_base, wanted));
        if (n < 0) {
            return got > 0 ? got : n;
        }
        got += n;
        size -= wanted;
        if (static_cast<std::size_t>(n) < wanted) {
            break;
        }
    }
    return got;
}

class write_call final : public patient_call {
public:
    explicit write_call(const iovec& piece)
        : bytes_(static_cast<const std::byte*>(piece.iov_base),
                 static_cast<const std::byte*>(piece.iov_base) + piece.iov_len) {}

private:
    ssize_t perform(int fd) noexcept override {
        return result_of(sys::real.write(fd, bytes_.data(), bytes_.size()));
    }
    std::vector<std::byte> bytes_;
};

/// One attempt: bytes, -EAGAIN or another error.
ssize_t try_write(int fd, patient_calls& calls, const iov_cursor& rest) noexcept {
    if (const auto call = calls.take()) {
        return call->result();
    }
    if (is_nonblocking(fd)) {
        return result_of(sys::real.writev(fd, rest.data(), static_cast<int>(rest.count())));
    }
    if (readiness_of(fd, POLLOUT) == 0) {
        return -EAGAIN;
    }
    try {
        const iovec piece = rest.first_piece(most_per_call);
        if (const int error = calls.start(std::make_shared<write_call>(piece)); error < 0) {
            return error;
        }
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    const auto call = calls.take();
    return call != nullptr ? call->result() : -EAGAIN;
}

} // namespace

ssize_t read_terminal(int fd, const iovec* iov, int count, options& o) noexcept {
    operation op(fd, inwards, wait_kind::read, "read", o);
    if (op.error() != 0) {
        return op.error();
    }
    if (in_background(fd) && sys::real.read(fd, nullptr, 0) < 0) {
        return -errno;
    }
    const std::size_t room = total_size(iov, static_cast<std::size_t>(count));
    for (;;) {
        reading_rules rules;
        const int error = rules_of(fd, rules);
        if (error == -ENOTTY) {
            return error;
        }
        ssize_t n = -EAGAIN;
        if (error < 0 || is_nonblocking(fd) || (rules.line && readiness_of(fd, POLLIN) != 0)) {
            n = op.long_attempt([&] { return result_of(sys::real.readv(fd, iov, count)); });
        } else if (!rules.line) {
            std::size_t size = room;
            const int ready = wait_for_bytes(op, rules, size);
            if (ready <= 0) {
                return ready;
            }
            n = op.long_attempt([&] { return read_exactly(fd, iov, size); });
        }
        if (n != -EAGAIN) {
            op.done();
            return n;
        }
        if (const int end = op.wait(); end != 0) {
            return end;
        }
    }
}

ssize_t write_terminal(int fd, const iovec* iov, int count, options& o) noexcept {
    patient_calls calls(fd, false);
    operation op(fd, outwards, wait_kind::write, "write", o);
    if (op.error() != 0) {
        return op.error();
    }
    op.mind(calls);
    if (::isatty(fd) == 0) {
        return -ENOTTY;
    }
    if (in_background(fd) && sys::real.write(fd, "", 0) < 0) {
        return -errno;
    }
    iov_cursor rest(iov, static_cast<std::size_t>(count));
    ssize_t written = 0;
    for (;;) {
        const ssize_t n = op.long_attempt([&] { return try_write(fd, calls, rest); });
        if (n == -EAGAIN) {
            if (const int end = op.wait(); end != 0) {
                return written > 0 ? written : end;
            }
            continue;
        }
        if (n < 0) {
            op.done();
            return written > 0 ? written : n;
        }
        written += n;
        const auto size = static_cast<std::size_t>(n);
        if (n == 0 || size == rest.left() || !rest.advance(size)) {
            op.done();
            return written;
        }
        op.did_part();
    }
}

} // namespace tendril::detail::io
