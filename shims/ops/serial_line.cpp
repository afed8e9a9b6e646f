// SPDX-License-Identifier: BSL-1.0
//
// What waits until a terminal has sent all that was written to it (termios(3)).
#include "io/file.hpp"
#include "io/retry.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"

#include <sys/ioctl.h>

namespace tendril::detail::shim::ops {

namespace {

/// Until nothing is left to be sent; 0, or -errno.
int wait_until_sent(hub_core& hub, int fd, const char* what, io::options& o) noexcept {
    if (hub.has_nothing_else()) {
        return 0;
    }
    o.what = what;
    return io::try_until_free(hub, fd, o, [&] {
        int left = 0;
        return libc.ioctl(fd, TIOCOUTQ, &left) == 0 && left > 0 ? -EAGAIN : 0;
    });
}

} // namespace

int tcdrain(int fd) noexcept {
    return call(
        tendril_shim_index_tcdrain,
        [&](hub_core& hub, io::options& o) {
            const int end = wait_until_sent(hub, fd, "tcdrain", o);
            return end == 0 ? negative(libc.tcdrain(fd)) : end;
        },
        [&] { return libc.tcdrain(fd); });
}

int tcsetattr(int fd, int when, const struct termios* settings) noexcept {
    return call(
        tendril_shim_index_tcsetattr,
        [&](hub_core& hub, io::options& o) {
            const bool waits = when == TCSADRAIN || when == TCSAFLUSH;
            const int end = waits ? wait_until_sent(hub, fd, "tcsetattr", o) : 0;
            return end == 0 ? negative(libc.tcsetattr(fd, when, settings)) : end;
        },
        [&] { return libc.tcsetattr(fd, when, settings); });
}

int tcsendbreak(int fd, int duration) noexcept {
    return call(
        tendril_shim_index_tcsendbreak,
        [&](hub_core& hub, io::options& o) {
            return io::on_disk(hub, {wait_kind::other, "tcsendbreak", fd}, o,
                               [&] { return negative(libc.tcsendbreak(fd, duration)); });
        },
        [&] { return libc.tcsendbreak(fd, duration); });
}

} // namespace tendril::detail::shim::ops
