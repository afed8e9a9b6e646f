// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/wait_reason.hpp"
#include "io/hub_io.hpp"

#include <sys/types.h>

namespace tendril::detail::process {

/// Parks until the process of a pidfd has ended: 0. -ETIMEDOUT, -EINTR, -ECANCELED; -EBADF when it
/// cannot tell.
int wait_for_end(io::hub_io& io, int fd, const wait_reason& why, time_point deadline) noexcept;

/// An fd for a child while a fiber waits for its end (pidfd_open(2), Linux 5.3). The children of a
/// fork do not inherit it.
class pidfd {
public:
    explicit pidfd(pid_t child) noexcept;
    ~pidfd();
    pidfd(const pidfd&) = delete;
    pidfd& operator=(const pidfd&) = delete;

    bool valid() const noexcept { return fd_ >= 0; } ///< false: no such system call, no fd left…

    int wait(io::hub_io& io, const wait_reason& why, time_point deadline) const noexcept {
        return wait_for_end(io, fd_, why, deadline);
    }

private:
    friend struct pidfd_list;
    int fd_ = -1;
    pidfd* prev_ = nullptr;
    pidfd* next_ = nullptr;
};

} // namespace tendril::detail::process
