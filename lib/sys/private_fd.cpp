// SPDX-License-Identifier: BSL-1.0
#include "sys/private_fd.hpp"

#include "sys/calls.hpp"

namespace tendril::sys {

namespace {

// High, but below 1,024: the kernel's table of fds, and a usual RLIMIT_NOFILE, reach that far.
constexpr int first_private = 960;

} // namespace

int make_private(int fd) noexcept {
    if (fd < 0 || fd >= first_private) {
        return fd;
    }
    const int moved = real.fcntl(fd, F_DUPFD_CLOEXEC, first_private);
    if (moved < 0) {
        return fd;
    }
    real.close(fd);
    return moved;
}

} // namespace tendril::sys
