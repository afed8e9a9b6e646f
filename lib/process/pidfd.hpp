// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/wait_reason.hpp"
#include "io/hub_io.hpp"

#include <sys/types.h>

namespace tendril::detail::process {

/// An fd for a child while a fiber waits for its end (pidfd_open(2), Linux 5.3). The children of a
/// fork do not inherit it.
class pidfd {
public:
    explicit pidfd(pid_t child) noexcept;
    ~pidfd();
    pidfd(const pidfd&) = delete;
    pidfd& operator=(const pidfd&) = delete;

    bool valid() const noexcept { return fd_ >= 0; } ///< false: no such system call, no fd left…

    bool has_ended() const noexcept;

    /// Parks until the child has ended: 0. -ETIMEDOUT, -ECANCELED; -EBADF when it cannot tell.
    int wait(io::hub_io& io, const wait_reason& why, time_point deadline) noexcept;

private:
    friend struct pidfd_list;
    int fd_ = -1;
    pidfd* prev_ = nullptr;
    pidfd* next_ = nullptr;
};

} // namespace tendril::detail::process
