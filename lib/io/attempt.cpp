// SPDX-License-Identifier: BSL-1.0
#include "io/attempt.hpp"

#include "io/fd_traits.hpp"
#include "io/file.hpp"
#include "io/operation.hpp"
#include "sys/calls.hpp"

#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

namespace tendril::detail::io {

namespace {

bool is_ready(int fd, short events) noexcept {
    pollfd p{fd, events, 0};
    return sys::real.poll(&p, 1, 0) != 0;
}

/// How much of a blocking write surely finds room when poll says writable.
std::size_t safe_write(int fd) noexcept {
    struct stat status {};
    const bool is_pipe = sys::real.fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
    return is_pipe ? PIPE_BUF : SSIZE_MAX; // pipe(7); also keeps small writes atomic
}

/// Remembers and returns of which kind it is, or `otherwise` if it is not on a disk.
fd_kind without_nowait(int fd, fd_kind otherwise) noexcept {
    const fd_kind kind = is_on_disk(fd) && !is_in_memory(fd) ? fd_kind::disk : otherwise;
    remember_kind(fd, kind);
    return kind;
}

/// poll does not tell what read refuses, nor the end of a FIFO that nobody has opened for writing
/// since it was opened here.
ssize_t try_unready(int fd, const iovec* iov, int count) noexcept {
    const int flags = sys::real.fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) != 0) {
        return result_of(sys::real.readv(fd, iov, count));
    }
    if (flags < 0 || (flags & O_ACCMODE) != O_RDONLY) {
        return -EAGAIN;
    }
    // Reads any pipe without waiting; it would write to one that is open for both.
    const ssize_t n =
        result_of(sys::real.vmsplice(fd, iov, static_cast<std::size_t>(count), SPLICE_F_NONBLOCK));
    return n >= 0 ? n : -EAGAIN;
}

} // namespace

bool is_much(int fd, std::size_t size) noexcept {
    return size > most_in_hub && is_on_disk(fd);
}

const iovec* part_to_try(int fd, const iovec* iov, int count, iovec& beginning) noexcept {
    const std::size_t size = total_size(iov, static_cast<std::size_t>(count));
    if (!is_much(fd, size)) {
        return iov;
    }
    beginning = {iov->iov_base, most_in_hub};
    return count == 1 && size <= most_at_once ? &beginning : nullptr;
}

ssize_t try_read(int fd, const iovec* iov, int count) noexcept {
    iovec beginning;
    iov = part_to_try(fd, iov, count, beginning);
    if (iov == nullptr) {
        return needs_disk;
    }
    fd_kind kind = kind_of(fd);
    if (kind != fd_kind::polled && kind != fd_kind::disk) {
        const ssize_t n =
            result_of(sys::real.preadv2(fd, iov, count, current_position, RWF_NOWAIT));
        if (!refuses_nowait(n)) {
            return n;
        }
        kind = without_nowait(fd, fd_kind::polled);
    }
    if (kind == fd_kind::disk) {
        return needs_disk;
    }
    return is_ready(fd, POLLIN) ? result_of(sys::real.readv(fd, iov, count))
                                : try_unready(fd, iov, count);
}

ssize_t try_write(int fd, const iov_cursor& rest) noexcept {
    if (is_much(fd, rest.left())) {
        return needs_disk;
    }
    fd_kind kind = kind_of(fd);
    if (kind != fd_kind::polled && kind != fd_kind::read_nowait && kind != fd_kind::disk) {
        const ssize_t n = result_of(sys::real.pwritev2(
            fd, rest.data(), static_cast<int>(rest.count()), current_position, RWF_NOWAIT));
        if (!refuses_nowait(n)) {
            return n;
        }
        kind = without_nowait(fd, fd_kind::read_nowait);
    }
    if (kind == fd_kind::disk) {
        return needs_disk;
    }
    if (!is_ready(fd, POLLOUT)) {
        return -EAGAIN;
    }
    const std::size_t most = safe_write(fd);
    if (rest.left() <= most) {
        return result_of(sys::real.writev(fd, rest.data(), static_cast<int>(rest.count())));
    }
    const iovec piece = rest.first_piece(most);
    return result_of(sys::real.write(fd, piece.iov_base, piece.iov_len));
}

} // namespace tendril::detail::io
