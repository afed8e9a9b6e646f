// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "shims/ops/call.hpp"

#include <signal.h>

namespace tendril::detail::shim {

/// The signals that a ppoll, pselect or epoll_pwait lets through and the thread otherwise blocks,
/// as an fd that becomes readable when one of them is pending. So the thread's mask, which is every
/// fiber's, is left alone while the call waits in the hub: once the fd is readable, libc's own call
/// with the caller's mask delivers the signal and gives EINTR, atomically as ever.
///
/// To be made only after a first attempt of libc's: the number of the fd may be one that the caller
/// names and that was closed.
class masked_signals {
public:
    explicit masked_signals(const sigset_t* mask) noexcept;
    ~masked_signals();
    masked_signals(const masked_signals&) = delete;
    masked_signals& operator=(const masked_signals&) = delete;

    int fd() const noexcept { return fd_; }       ///< -1: no signal can end this wait
    int error() const noexcept { return error_; } ///< 0, or -errno: no fd could be had

private:
    int fd_ = -1;
    int error_ = 0;
};

} // namespace tendril::detail::shim
