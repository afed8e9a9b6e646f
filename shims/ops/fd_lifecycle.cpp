// SPDX-License-Identifier: BSL-1.0
//
// Nothing here waits. lib/io has to know which fds come and go; in the child of a vfork, whose
// memory is the parent's, it finds that out by itself and leaves its tables alone.

#include "io/fd_table.hpp"
#include "io/file.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "sys/own_fds.hpp"

#include <climits>
#include <cstdarg>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/ioctl.h>

namespace tendril::detail::shim::ops {

namespace {

/// An fd that is new under its number: whoever still waits for an older one of that number was left
/// behind by a close that we did not see.
int fresh(int fd) noexcept {
    if (fd >= 0) {
        const int saved = errno;
        io::closing(fd);
        errno = saved;
    }
    return negative(fd);
}

int fresh_socket(int fd) noexcept {
    const int result = fresh(fd);
    if (fd >= 0) {
        io::made_here(fd);
    }
    return result;
}

int fresh_copy(int from, int fd) noexcept {
    const int saved = errno;
    io::duplicated(from, fd);
    errno = saved;
    return negative(fd);
}

int fresh_pair(int result, const int* ends) noexcept {
    if (result == 0) {
        fresh(ends[0]);
        fresh(ends[1]);
    }
    return negative(result);
}

/// A thread without a hub closes: fibers of other threads may wait for it. (With one, it is a
/// signal handler that interrupted the hub, which knows nothing of locks that are held.)
template <typename Number>
void tell_other_hubs(Number first, Number last) noexcept {
    if (hub_core::current_or_null() != nullptr) {
        return;
    }
    const errno_kept keep;
    if (first == last) {
        io::closing(static_cast<int>(first));
    } else {
        io::closing_range(static_cast<unsigned>(first), static_cast<unsigned>(last));
    }
}

/// -errno as libc would return it.
int as_libc(int result) noexcept {
    if (result >= 0) {
        return result;
    }
    errno = -result;
    return -1;
}

void tell_other_hubs_of_dup(int from, int to) noexcept {
    const errno_kept keep;
    if (from != to && to >= 0 && sys::real.fcntl(from, F_GETFD) >= 0) {
        tell_other_hubs(to, to);
    }
}

bool closes(int flags) noexcept {
    return (static_cast<unsigned>(flags) & CLOSE_RANGE_CLOEXEC) == 0;
}

void note_own_table() noexcept {
    if (io::fd_table::ours()) { // else a child has it, on this memory
        const errno_kept keep;
        fds_unshared();
    }
}

/// Closes what is the program's in the range, each part after `tell(its first, its last)`, and
/// leaves the hubs their own.
template <typename Tell>
int close_between(unsigned first, unsigned last, int flags, Tell tell) noexcept {
    int result = 0;
    for (unsigned begin = first;;) {
        const int own = begin <= INT_MAX ? sys::next_own(static_cast<int>(begin)) : -1;
        const bool skips = own >= 0 && static_cast<unsigned>(own) <= last;
        if (!skips || static_cast<unsigned>(own) != begin) {
            const unsigned end = skips ? static_cast<unsigned>(own) - 1 : last;
            if (begin <= end && closes(flags)) {
                tell(begin, end);
            }
            result = negative(libc.close_range(begin, end, flags));
            if (result == 0 && (static_cast<unsigned>(flags) & CLOSE_RANGE_UNSHARE) != 0) {
                note_own_table();
            }
        }
        if (!skips || result != 0 || static_cast<unsigned>(own) == last) {
            return result;
        }
        begin = static_cast<unsigned>(own) + 1;
    }
}

} // namespace

int close(int fd) noexcept {
    return call(
        tendril_shim_index_close,
        // To the program the hub's fds do not exist.
        [&](hub_core&, io::options&) { return sys::is_own(fd) ? -EBADF : io::close(fd); },
        [&] {
            if (sys::is_own(fd)) {
                return as_libc(-EBADF);
            }
            tell_other_hubs(fd, fd);
            return libc.close(fd);
        });
}

int dup2(int from, int to) noexcept {
    return call(
        tendril_shim_index_dup2,
        // EBUSY is what dup(2) has for a number that is about to be taken.
        [&](hub_core&, io::options&) { return sys::is_own(to) ? -EBUSY : io::dup2(from, to); },
        [&] {
            if (from != to && sys::is_own(to)) {
                return as_libc(-EBUSY);
            }
            tell_other_hubs_of_dup(from, to);
            return libc.dup2(from, to);
        });
}

int dup3(int from, int to, int flags) noexcept {
    return call(
        tendril_shim_index_dup3, [&](hub_core&, io::options&) { return io::dup3(from, to, flags); },
        [&] {
            if (from != to && sys::is_own(to)) {
                return as_libc(-EBUSY);
            }
            tell_other_hubs_of_dup(from, to);
            return libc.dup3(from, to, flags);
        });
}

int close_range(unsigned int first, unsigned int last, int flags) noexcept {
    return call(
        tendril_shim_index_close_range,
        [&](hub_core&, io::options&) {
            return close_between(first, last, flags, io::closing_range);
        },
        [&] { return as_libc(close_between(first, last, flags, tell_other_hubs<unsigned>)); });
}

void closefrom(int first) noexcept {
    const unsigned begin = first < 0 ? 0U : static_cast<unsigned>(first);
    call(
        tendril_shim_index_closefrom,
        [&](hub_core&, io::options&) { return close_between(begin, ~0U, 0, io::closing_range); },
        [&] {
            const errno_kept keep;
            return close_between(begin, ~0U, 0, tell_other_hubs<unsigned>);
        });
}

int unshare(int flags) noexcept {
    const auto original = [&] {
        const int result = libc.unshare(flags);
        if (result == 0 && (flags & CLONE_FILES) != 0) {
            note_own_table();
        }
        return result;
    };
    return call(
        tendril_shim_index_unshare, [&](hub_core&, io::options&) { return negative(original()); },
        original);
}

int dup(int fd) noexcept {
    return call(
        tendril_shim_index_dup,
        [&](hub_core&, io::options&) { return fresh_copy(fd, libc.dup(fd)); },
        [&] { return libc.dup(fd); });
}

int fstat(int fd, struct stat* status) noexcept {
    const auto look = [&] { return sys::is_own(fd) ? as_libc(-EBADF) : libc.fstat(fd, status); };
    return serve(
        tendril_shim_index_fstat, [&](hub_core&, io::options&) { return look(); }, look);
}

int socket(int domain, int type, int protocol) noexcept {
    return call(
        tendril_shim_index_socket,
        [&](hub_core&, io::options&) { return fresh_socket(libc.socket(domain, type, protocol)); },
        [&] { return libc.socket(domain, type, protocol); });
}

int socketpair(int domain, int type, int protocol, int* ends) noexcept {
    return call(
        tendril_shim_index_socketpair,
        [&](hub_core&, io::options&) {
            const int result = libc.socketpair(domain, type, protocol, ends);
            if (result == 0) {
                fresh_socket(ends[0]);
                fresh_socket(ends[1]);
            }
            return negative(result);
        },
        [&] { return libc.socketpair(domain, type, protocol, ends); });
}

int pipe(int* ends) noexcept {
    return call(
        tendril_shim_index_pipe,
        [&](hub_core&, io::options&) { return fresh_pair(libc.pipe(ends), ends); },
        [&] { return libc.pipe(ends); });
}

int pipe2(int* ends, int flags) noexcept {
    return call(
        tendril_shim_index_pipe2,
        [&](hub_core&, io::options&) { return fresh_pair(libc.pipe2(ends, flags), ends); },
        [&] { return libc.pipe2(ends, flags); });
}

int fcntl(int fd, int command, ...) noexcept {
    va_list list;
    va_start(list, command);
    void* const argument = va_arg(list, void*);
    va_end(list);
    return call(
        tendril_shim_index_fcntl,
        [&](hub_core&, io::options& o) {
            switch (command) {
            case F_SETLKW:
            case F_OFD_SETLKW:
                return io::set_lock(fd, command, static_cast<struct ::flock*>(argument), o);
            case F_GETFL:
                return io::get_flags(fd);
            case F_SETFL:
                return io::set_flags(fd, static_cast<int>(reinterpret_cast<intptr_t>(argument)));
            case F_DUPFD:
            case F_DUPFD_CLOEXEC:
                return fresh_copy(fd, libc.fcntl(fd, command, argument));
            default:
                return negative(libc.fcntl(fd, command, argument));
            }
        },
        [&] { return libc.fcntl(fd, command, argument); });
}

int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list list;
    va_start(list, request);
    void* const argument = va_arg(list, void*);
    va_end(list);
    return call(
        tendril_shim_index_ioctl,
        [&](hub_core&, io::options&) {
            if (request == FIONBIO && argument != nullptr) {
                return io::set_nonblock(fd, *static_cast<const int*>(argument) != 0);
            }
            return negative(libc.ioctl(fd, request, argument));
        },
        [&] { return libc.ioctl(fd, request, argument); });
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    return call(
        tendril_shim_index_setsockopt,
        [&](hub_core&, io::options&) {
            const int result = libc.setsockopt(fd, level, name, value, size);
            if (result == 0 && level == SOL_SOCKET) {
                io::option_changed(fd, name, value);
            }
            return negative(result);
        },
        [&] { return libc.setsockopt(fd, level, name, value, size); });
}

} // namespace tendril::detail::shim::ops
