// SPDX-License-Identifier: BSL-1.0
// read, write and their kin. On sockets they are recv and send; elsewhere O_NONBLOCK is not ours to
// set, so RWF_NOWAIT is tried, and where the kernel refuses it, poll then call. Terminals have
// rules of their own.
#include "io/attempt.hpp"
#include "io/file.hpp"
#include "io/iov_cursor.hpp"
#include "io/operation.hpp"
#include "io/terminal.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <climits>

namespace tendril::detail::io {

namespace {

ssize_t read_file(int fd, const iovec* iov, int count, options& o) noexcept {
    if (kind_of(fd) == fd_kind::terminal) {
        if (const ssize_t n = read_terminal(fd, iov, count, o); n != -ENOTTY) {
            return n;
        }
        remember_kind(fd, fd_kind::not_a_socket); // the number changed hands behind our back
    }
    operation op(fd, inwards, wait_kind::read, "read", o);
    if (op.error() != 0) {
        return op.error();
    }
    iov_cursor rest(iov, static_cast<std::size_t>(count));
    const auto from_disk = [&](const iovec* parts, std::size_t number) {
        return on_disk(op.io().hub(), op.why(), o, [=] {
            return result_of(sys::real.readv(fd, parts, static_cast<int>(number)));
        });
    };
    bool as_it_is = false; // the kernel's answer to the call that was made
    ssize_t n = try_read(fd, iov, count);
    while (n == -EAGAIN || n == needs_disk) {
        const int end = n == needs_disk ? hub_io::always_ready : op.wait();
        as_it_is = end == hub_io::always_ready;
        if (as_it_is) {
            n = from_disk(iov, rest.count()); // its pages are not in memory
        } else {
            n = end != 0 ? end : op.attempt([&] { return try_read(fd, iov, count); });
            if (end != 0) {
                return end;
            }
        }
    }
    op.done();
    // A file is read to the full size, also where only its first pages were in memory.
    ssize_t got = n;
    while (n > 0 && !as_it_is && static_cast<std::size_t>(n) < rest.left() && is_on_disk(fd) &&
           rest.advance(static_cast<std::size_t>(n))) {
        n = static_cast<std::size_t>(n) == most_in_hub
                ? needs_disk
                : try_read(fd, rest.data(), static_cast<int>(rest.count()));
        as_it_is = n == -EAGAIN || n == needs_disk;
        if (as_it_is) {
            n = from_disk(rest.data(), rest.count());
        }
        got += std::max<ssize_t>(n, 0);
    }
    return got;
}

ssize_t write_file(int fd, const iovec* iov, int count, options& o) noexcept {
    if (kind_of(fd) == fd_kind::terminal) {
        if (const ssize_t n = write_terminal(fd, iov, count, o); n != -ENOTTY) {
            return n;
        }
        remember_kind(fd, fd_kind::not_a_socket);
    }
    operation op(fd, outwards, wait_kind::write, "write", o);
    if (op.error() != 0) {
        return op.error();
    }
    iov_cursor rest(iov, static_cast<std::size_t>(count));
    ssize_t written = 0;
    for (;;) {
        ssize_t n = op.attempt([&] { return try_write(fd, rest); });
        int end = n == needs_disk ? hub_io::always_ready : n == -EAGAIN ? op.wait() : 0;
        const bool as_it_is = end == hub_io::always_ready;
        if (as_it_is) {
            n = on_disk(op.io().hub(), op.why(), o,
                        [fd, parts = rest.data(), number = static_cast<int>(rest.count())] {
                            return result_of(sys::real.writev(fd, parts, number));
                        });
            end = 0;
        }
        if (end < 0 || (n < 0 && n != -EAGAIN)) {
            if (end == 0) {
                op.done();
            }
            return written > 0 ? written : end < 0 ? end : n;
        }
        if (n >= 0) {
            written += n;
            const auto size = static_cast<std::size_t>(n);
            if (n == 0 || as_it_is || size == rest.left() || !rest.advance(size) ||
                (is_on_disk(fd) && is_at_size_limit(fd))) {
                op.done();
                return written;
            }
            op.did_part();
        }
    }
}

/// Flags that mean nothing elsewhere. Others the kernel refuses there, or knows better than we do.
constexpr int meant_for_files = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND;

bool bad_count(int count) noexcept {
    return count < 0 || count > IOV_MAX;
}

/// A transfer on a file by `call(parts, number, offset, also)`, asked with RWF_NOWAIT first.
template <typename Call>
ssize_t positioned(int fd, const wait_reason& why, const iovec* iov, int count, off_t offset,
                   int flags, options& o, Call call) noexcept {
    int error = 0;
    hub_io* const io = this_hub(error);
    if (io == nullptr) {
        return -error;
    }
    io->hub().charge();
    if ((flags & RWF_NOWAIT) != 0 || bad_count(count)) {
        return call(iov, count, offset, 0);
    }
    const auto without_waiting = [&](const iovec* parts, int number, off_t at) -> ssize_t {
        iovec beginning;
        const iovec* const part = part_to_try(fd, parts, number, beginning);
        if (part == nullptr || (part != parts && why.kind == wait_kind::write)) {
            return needs_disk;
        }
        const ssize_t n = call(part, number, at, RWF_NOWAIT);
        return n == -EAGAIN || refuses_nowait(n) ? needs_disk : n;
    };
    const auto from_disk = [&](const iovec* parts, int number, off_t at) {
        return is_in_memory(fd) && !is_much(fd, total_size(parts, static_cast<std::size_t>(number)))
                   ? call(parts, number, at, 0)
                   : on_disk(io->hub(), why, o, [=] { return call(parts, number, at, 0); });
    };
    iov_cursor rest(iov, static_cast<std::size_t>(count));
    const ssize_t n = without_waiting(iov, count, offset);
    if (n == needs_disk) {
        return from_disk(iov, count, offset);
    }
    if (n <= 0 || static_cast<std::size_t>(n) == rest.left() ||
        !rest.advance(static_cast<std::size_t>(n))) {
        return n;
    }
    // Its end, or only the first pages were in memory, or it is much.
    const bool moves = offset == current_position;
    const off_t next = moves ? offset : offset + n;
    if (why.kind == wait_kind::write &&
        is_at_size_limit(fd, moves ? std::nullopt : std::optional(next))) {
        return n;
    }
    const auto number = static_cast<int>(rest.count());
    ssize_t more = static_cast<std::size_t>(n) == most_in_hub
                       ? needs_disk
                       : without_waiting(rest.data(), number, next);
    if (more == needs_disk) {
        more = from_disk(rest.data(), number, next);
    }
    return n + std::max<ssize_t>(more, 0);
}

} // namespace

ssize_t read(int fd, void* buffer, std::size_t size, options& o) noexcept {
    if (size == 0) {
        // Leaves a datagram where it is, which recv would eat.
        return result_of(sys::real.read(fd, buffer, 0));
    }
    if (is_socket(kind_of(fd))) {
        if (o.as_program && low_water(fd, size) > 1) {
            return recv(fd, buffer, size, 0, o);
        }
        operation op(fd, inwards, wait_kind::read, "read", o);
        if (op.error() != 0) {
            return op.error();
        }
        const ssize_t n = op.run_read(
            size, [&] { return result_of(sys::real.recv(fd, buffer, size, MSG_DONTWAIT)); });
        if (n != -ENOTSOCK) {
            return n;
        }
        remember_kind(fd, fd_kind::not_a_socket); // the number changed hands behind our back
    }
    const iovec iov{buffer, size};
    return read_file(fd, &iov, 1, o);
}

ssize_t readv(int fd, const iovec* iov, int count, options& o) noexcept {
    if (bad_count(count) || total_size(iov, static_cast<std::size_t>(count)) == 0) {
        return result_of(sys::real.readv(fd, iov, count));
    }
    if (is_socket(kind_of(fd))) {
        msghdr message{};
        message.msg_iov = const_cast<iovec*>(iov);
        message.msg_iovlen = static_cast<std::size_t>(count);
        const std::size_t size = total_size(iov, static_cast<std::size_t>(count));
        if (o.as_program && low_water(fd, size) > 1) {
            return recvmsg(fd, &message, 0, o);
        }
        operation op(fd, inwards, wait_kind::read, "readv", o);
        if (op.error() != 0) {
            return op.error();
        }
        const ssize_t n = op.run_read(
            size, [&] { return result_of(sys::real.recvmsg(fd, &message, MSG_DONTWAIT)); });
        if (n != -ENOTSOCK) {
            return n;
        }
        remember_kind(fd, fd_kind::not_a_socket);
    }
    return read_file(fd, iov, count, o);
}

ssize_t write(int fd, const void* buffer, std::size_t size, options& o) noexcept {
    if (is_socket(kind_of(fd))) {
        options inner = o;
        inner.what = o.what != nullptr ? o.what : "write";
        const ssize_t n = send(fd, buffer, size, 0, inner);
        o.waited = inner.waited;
        if (n != -ENOTSOCK) {
            return n;
        }
        remember_kind(fd, fd_kind::not_a_socket);
    }
    if (size == 0) {
        return result_of(sys::real.write(fd, buffer, 0));
    }
    const iovec iov{const_cast<void*>(buffer), size};
    return write_file(fd, &iov, 1, o);
}

ssize_t writev(int fd, const iovec* iov, int count, options& o) noexcept {
    if (bad_count(count)) {
        return -EINVAL;
    }
    if (is_socket(kind_of(fd))) {
        options inner = o;
        inner.what = o.what != nullptr ? o.what : "writev";
        msghdr message{};
        message.msg_iov = const_cast<iovec*>(iov);
        message.msg_iovlen = static_cast<std::size_t>(count);
        const ssize_t n = sendmsg(fd, &message, 0, inner);
        o.waited = inner.waited;
        if (n != -ENOTSOCK) {
            return n;
        }
        remember_kind(fd, fd_kind::not_a_socket);
    }
    if (total_size(iov, static_cast<std::size_t>(count)) == 0) {
        return result_of(sys::real.writev(fd, iov, count));
    }
    return write_file(fd, iov, count, o);
}

ssize_t preadv2(int fd, const iovec* iov, int count, off_t offset, int flags, options& o) noexcept {
    // With an offset it is a file.
    if (offset == current_position && (flags & RWF_NOWAIT) == 0 && !is_on_disk(fd)) {
        const ssize_t n = (flags & ~meant_for_files) == 0
                              ? -EAGAIN
                              : result_of(sys::real.preadv2(fd, iov, count, current_position,
                                                            flags | RWF_NOWAIT));
        return n == -EAGAIN ? readv(fd, iov, count, o) : n;
    }
    return positioned(fd, {wait_kind::read, "pread", fd}, iov, count, offset, flags, o,
                      [fd, flags](const iovec* parts, int number, off_t at, int also) {
                          return result_of(sys::real.preadv2(fd, parts, number, at, flags | also));
                      });
}

ssize_t pwritev2(int fd, const iovec* iov, int count, off_t offset, int flags,
                 options& o) noexcept {
    if (offset == current_position && (flags & RWF_NOWAIT) == 0 && !is_on_disk(fd)) {
        const ssize_t n = (flags & ~meant_for_files) == 0
                              ? -EAGAIN
                              : result_of(sys::real.pwritev2(fd, iov, count, current_position,
                                                             flags | RWF_NOWAIT));
        return n == -EAGAIN ? writev(fd, iov, count, o) : n;
    }
    return positioned(fd, {wait_kind::write, "pwrite", fd}, iov, count, offset, flags, o,
                      [fd, flags](const iovec* parts, int number, off_t at, int also) {
                          return result_of(sys::real.pwritev2(fd, parts, number, at, flags | also));
                      });
}

} // namespace tendril::detail::io
