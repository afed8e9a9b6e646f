// SPDX-License-Identifier: BSL-1.0
//
// splice(2) and its kin have a flag that keeps them from waiting for pipes, and none for what is at
// the other end.
#include "io/fd_traits.hpp"
#include "io/file.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"

#include <algorithm>
#include <optional>
#include <sys/stat.h>

namespace tendril::detail::shim::ops {

namespace {

/// What a socket with room takes without a wait, be it ever so little: the kernel looks for room
/// before each page.
constexpr std::size_t page = 4096;

std::optional<off_t> next_offset(const off64_t* offset) noexcept {
    return offset != nullptr ? std::optional<off_t>(*offset) : std::nullopt;
}

/// One piece of a copy, which cannot be ended.
constexpr std::size_t piece = std::size_t{16} << 20;

bool is_pipe(int fd) noexcept {
    struct stat status {};
    return libc.fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool has_nonblock(int fd) noexcept {
    return (io::get_flags(fd) & O_NONBLOCK) != 0;
}

bool is_ready(int fd, short events) noexcept {
    pollfd one = {fd, events, 0};
    const timespec at_once = {0, 0};
    return libc.ppoll(&one, 1, &at_once, nullptr) != 0;
}

/// Both at the same time; 0, or -errno.
int wait_for_both(int in, int out, io::options& o) noexcept {
    while (!is_ready(in, POLLIN) || !is_ready(out, POLLOUT)) {
        const int fd = is_ready(in, POLLIN) ? out : in;
        const int woken =
            io::wait(fd, fd == in ? POLLIN : POLLOUT, o, interruption::unless_restarted);
        if (woken < 0) {
            return woken;
        }
        if ((woken & POLLNVAL) != 0) {
            return -EBADF;
        }
    }
    return 0;
}

/// `move()` never waits for a pipe, and for no other end that is ready.
template <typename Move>
ssize_t when_both(int in, int out, io::options& o, bool nonblock, Move move) noexcept {
    for (;;) {
        const bool ready = is_ready(in, POLLIN) && is_ready(out, POLLOUT);
        // Errors are the kernel's to find, also while nothing is ready.
        const ssize_t n = move(ready);
        if (n != -EAGAIN || nonblock) {
            return n;
        }
        if (const int end = wait_for_both(in, out, o); end != 0) {
            return end;
        }
    }
}

} // namespace

ssize_t splice(int in, off64_t* in_offset, int out, off64_t* out_offset, size_t count,
               unsigned int flags) noexcept {
    const auto original = [&] { return libc.splice(in, in_offset, out, out_offset, count, flags); };
    return call(
        tendril_shim_index_splice,
        [&](hub_core& hub, io::options& o) -> ssize_t {
            o.what = "splice";
            const bool from_pipe = is_pipe(in);
            const bool to_pipe = is_pipe(out);
            if ((!from_pipe && !to_pipe) || hub.has_nothing_else()) {
                return negative(original()); // EINVAL; or it may wait
            }
            const bool disk = io::is_on_disk(in) || io::is_on_disk(out);
            const bool paged = !to_pipe && !disk && !has_nonblock(out);
            const bool nonblock =
                (flags & SPLICE_F_NONBLOCK) != 0 || has_nonblock(in) || has_nonblock(out);
            const auto move = [&](bool ready) -> ssize_t {
                // A socket that would be waited for must not be touched.
                const bool may_block = (!from_pipe && !disk && !has_nonblock(in)) || paged;
                if (!ready && may_block && count != 0) {
                    return -EAGAIN;
                }
                const auto once = [&] {
                    return negative(libc.splice(in, in_offset, out, out_offset,
                                                paged ? std::min(count, page) : count,
                                                flags | SPLICE_F_NONBLOCK));
                };
                return disk ? io::on_disk(hub, {wait_kind::other, "splice", in}, o, once) : once();
            };
            return when_both(in, out, o, nonblock, move);
        },
        original);
}

ssize_t tee(int in, int out, size_t count, unsigned int flags) noexcept {
    return call(
        tendril_shim_index_tee,
        [&](hub_core&, io::options& o) -> ssize_t {
            o.what = "tee";
            const bool nonblock =
                (flags & SPLICE_F_NONBLOCK) != 0 || has_nonblock(in) || has_nonblock(out);
            return when_both(in, out, o, nonblock, [&](bool) {
                return negative(libc.tee(in, out, count, flags | SPLICE_F_NONBLOCK));
            });
        },
        [&] { return libc.tee(in, out, count, flags); });
}

// Into a pipe, or out of one, as the fd was opened.
ssize_t vmsplice(int fd, const struct iovec* parts, size_t count, unsigned int flags) noexcept {
    return call(
        tendril_shim_index_vmsplice,
        [&](hub_core&, io::options& o) -> ssize_t {
            o.what = "vmsplice";
            const int mode = io::get_flags(fd);
            const short events = (mode & O_ACCMODE) == O_RDONLY ? POLLIN : POLLOUT;
            for (;;) {
                const ssize_t n =
                    negative(libc.vmsplice(fd, parts, count, flags | SPLICE_F_NONBLOCK));
                if (n != -EAGAIN || ((flags & SPLICE_F_NONBLOCK) != 0) ||
                    (mode & O_NONBLOCK) != 0) {
                    return n;
                }
                if (const int woken = io::wait(fd, events, o, interruption::unless_restarted);
                    woken < 0) {
                    return woken;
                }
            }
        },
        [&] { return libc.vmsplice(fd, parts, count, flags); });
}

ssize_t copy_file_range(int in, off64_t* in_offset, int out, off64_t* out_offset, size_t count,
                        unsigned int flags) noexcept {
    return call(
        tendril_shim_index_copy_file_range,
        [&](hub_core& hub, io::options& o) -> ssize_t {
            std::size_t copied = 0;
            for (;;) {
                const std::size_t size = std::min(count - copied, piece);
                const ssize_t n =
                    io::on_disk(hub, {wait_kind::other, "copy_file_range", in}, o, [&] {
                        return negative(
                            libc.copy_file_range(in, in_offset, out, out_offset, size, flags));
                    });
                copied += n > 0 ? static_cast<std::size_t>(n) : 0;
                if (n < static_cast<ssize_t>(size) || copied == count ||
                    io::is_at_size_limit(out, next_offset(out_offset))) {
                    return copied > 0 ? static_cast<ssize_t>(copied) : n;
                }
            }
        },
        [&] { return libc.copy_file_range(in, in_offset, out, out_offset, count, flags); });
}

} // namespace tendril::detail::shim::ops
