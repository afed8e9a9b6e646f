// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "shims/ops/call.hpp"

#include <signal.h>

namespace tendril::detail::shim {

/// An fd that becomes readable when one of some blocked signals is pending. To the program it does
/// not exist.
class signal_fd {
public:
    signal_fd() noexcept = default;
    explicit signal_fd(const sigset_t& signals) noexcept { open(signals); }
    ~signal_fd();
    signal_fd(const signal_fd&) = delete;
    signal_fd& operator=(const signal_fd&) = delete;

    int fd() const noexcept { return fd_; } ///< -1: none

    /// When to look for the signals at the latest: before `deadline` only if no fd could be had.
    time_point next_look(time_point deadline) const noexcept;

    bool is_lost() const noexcept;    ///< the fd was closed, by a system call that nobody sees
    bool is_pending() const noexcept; ///< one of the signals

    /// After a wait until next_look(), or one that found the fd closed.
    void renew() noexcept;

protected:
    void open(const sigset_t& signals) noexcept;

private:
    sigset_t signals_{};
    int fd_ = -1;
    bool lacking_ = false; ///< no fd could be had
};

/// The signals that a ppoll, pselect or epoll_pwait lets through and the thread otherwise blocks,
/// as an fd that becomes readable when one of them is pending. So the thread's mask, which is every
/// fiber's, is left alone while the call waits in the hub: once the fd is readable, libc's own call
/// with the caller's mask delivers the signal and gives EINTR, atomically as ever.
///
/// To be made only after a first attempt of libc's: the number of the fd may be one that the caller
/// names and that was closed.
class masked_signals : public signal_fd {
public:
    /// No fd: no signal can end this wait.
    explicit masked_signals(const sigset_t* mask) noexcept;
};

/// ppoll(2) in the hub, with such a mask: a number > 0 or -errno; 0 at the deadline.
int masked_poll(pollfd* fds, nfds_t count, time_point deadline, const sigset_t* mask,
                io::options& o) noexcept;

} // namespace tendril::detail::shim
