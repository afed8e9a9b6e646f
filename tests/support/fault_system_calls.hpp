// SPDX-License-Identifier: BSL-1.0
#pragma once

// Replaces the system calls that may fail for want of something, in the one program file that
// includes this. See faults.hpp. The errors are those of the manual pages that come from exhaustion
// or from a signal.

#include "support/faults.hpp"

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <unistd.h>

#pragma GCC visibility push(default)

#define TENDRIL_FALLIBLE(type, name, parameters, arguments, failure, ...)                          \
    extern "C" type name parameters {                                                              \
        static constexpr int errors[] = {__VA_ARGS__};                                             \
        if (const int error = tendril::test::faults::error_due(#name, errors); error != 0) {       \
            errno = error;                                                                         \
            return failure;                                                                        \
        }                                                                                          \
        static auto* const next = tendril::test::faults::replaced<type parameters>(#name);         \
        return next arguments;                                                                     \
    }

TENDRIL_FALLIBLE(int, epoll_create1, (int flags), (flags), -1, EMFILE, ENFILE, ENOMEM)
TENDRIL_FALLIBLE(int, eventfd, (unsigned count, int flags), (count, flags), -1, EMFILE, ENFILE,
                 ENOMEM)
TENDRIL_FALLIBLE(int, timerfd_create, (int clock, int flags), (clock, flags), -1, EMFILE, ENFILE,
                 ENOMEM)
TENDRIL_FALLIBLE(int, epoll_wait, (int fd, epoll_event* events, int most, int timeout),
                 (fd, events, most, timeout), -1, EINTR)
TENDRIL_FALLIBLE(int, epoll_pwait2,
                 (int fd, epoll_event* events, int most, const timespec* timeout,
                  const sigset_t* mask),
                 (fd, events, most, timeout, mask), -1, EINTR, ENOSYS)
TENDRIL_FALLIBLE(int, poll, (pollfd * fds, nfds_t count, int timeout), (fds, count, timeout), -1,
                 EINTR, ENOMEM)
TENDRIL_FALLIBLE(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1,
                 EMFILE, ENFILE, ENOBUFS, ENOMEM)
TENDRIL_FALLIBLE(int, socketpair, (int domain, int type, int protocol, int fds[2]),
                 (domain, type, protocol, fds), -1, EMFILE)
TENDRIL_FALLIBLE(int, accept4, (int fd, sockaddr* peer, socklen_t* size, int flags),
                 (fd, peer, size, flags), -1, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED)
TENDRIL_FALLIBLE(int, connect, (int fd, const sockaddr* to, socklen_t size), (fd, to, size), -1,
                 EADDRNOTAVAIL, ENOBUFS)
TENDRIL_FALLIBLE(int, bind, (int fd, const sockaddr* to, socklen_t size), (fd, to, size), -1,
                 EADDRINUSE)
TENDRIL_FALLIBLE(int, listen, (int fd, int backlog), (fd, backlog), -1, EADDRINUSE)
TENDRIL_FALLIBLE(int, setsockopt,
                 (int fd, int level, int option, const void* value, socklen_t size),
                 (fd, level, option, value, size), -1, ENOMEM)
TENDRIL_FALLIBLE(int, getsockopt, (int fd, int level, int option, void* value, socklen_t* size),
                 (fd, level, option, value, size), -1, ENOBUFS)
TENDRIL_FALLIBLE(int, getsockname, (int fd, sockaddr* name, socklen_t* size), (fd, name, size), -1,
                 ENOBUFS)
TENDRIL_FALLIBLE(int, getpeername, (int fd, sockaddr* name, socklen_t* size), (fd, name, size), -1,
                 ENOBUFS)
TENDRIL_FALLIBLE(ssize_t, send, (int fd, const void* data, size_t size, int flags),
                 (fd, data, size, flags), -1, ENOBUFS, ENOMEM)
TENDRIL_FALLIBLE(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags),
                 -1, ENOBUFS, ENOMEM)
TENDRIL_FALLIBLE(ssize_t, recv, (int fd, void* data, size_t size, int flags),
                 (fd, data, size, flags), -1, ENOMEM)
TENDRIL_FALLIBLE(ssize_t, recvfrom,
                 (int fd, void* data, size_t size, int flags, sockaddr* from, socklen_t* from_size),
                 (fd, data, size, flags, from, from_size), -1, ENOMEM)
TENDRIL_FALLIBLE(int, dup3, (int from, int to, int flags), (from, to, flags), -1, EBUSY, EINTR)
TENDRIL_FALLIBLE(void*, mmap, (void* at, size_t size, int access, int flags, int fd, off_t offset),
                 (at, size, access, flags, fd, offset), MAP_FAILED, ENOMEM)
TENDRIL_FALLIBLE(int, mprotect, (void* at, size_t size, int access), (at, size, access), -1, ENOMEM)
TENDRIL_FALLIBLE(int, madvise, (void* at, size_t size, int advice), (at, size, advice), -1, ENOMEM,
                 EINVAL)
#if !defined(TENDRIL_ASAN) && !defined(TENDRIL_TSAN) // which use it themselves, and insist
TENDRIL_FALLIBLE(int, sigaltstack, (const stack_t* now, stack_t* before), (now, before), -1, ENOMEM)
#endif
TENDRIL_FALLIBLE(int, stat, (const char* path, struct stat* out), (path, out), -1, ENOMEM)
TENDRIL_FALLIBLE(pid_t, fork, (), (), -1, EAGAIN, ENOMEM)

#undef TENDRIL_FALLIBLE

extern "C" int epoll_ctl(int fd, int operation, int subject, epoll_event* event) {
    static constexpr int errors[] = {ENOMEM, ENOSPC};
    if (operation != EPOLL_CTL_DEL) {
        if (const int e = tendril::test::faults::error_due("epoll_ctl", errors); e != 0) {
            errno = e;
            return -1;
        }
    }
    static auto* const next = tendril::test::faults::replaced<decltype(epoll_ctl)>("epoll_ctl");
    return next(fd, operation, subject, event);
}

/// The fd is gone all the same, see close(2).
extern "C" int close(int fd) {
    static constexpr int errors[] = {EINTR, EIO};
    static auto* const next = tendril::test::faults::replaced<decltype(close)>("close");
    const int result = next(fd);
    if (const int e = tendril::test::faults::error_due("close", errors); e != 0) {
        errno = e;
        return -1;
    }
    return result;
}

extern "C" int open(const char* path, int flags, ...) {
    static constexpr int errors[] = {EMFILE, ENFILE, ENOMEM};
    if (const int e = tendril::test::faults::error_due("open", errors); e != 0) {
        errno = e;
        return -1;
    }
    va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, mode_t);
    va_end(rest);
    static auto* const next = tendril::test::faults::replaced<decltype(open)>("open");
    return next(path, flags, mode);
}

extern "C" int fcntl(int fd, int command, ...) {
    static constexpr int errors[] = {EMFILE};
    if (command == F_DUPFD_CLOEXEC) {
        if (const int e = tendril::test::faults::error_due("fcntl", errors); e != 0) {
            errno = e;
            return -1;
        }
    }
    va_list rest;
    va_start(rest, command);
    void* const argument = va_arg(rest, void*);
    va_end(rest);
    static auto* const next = tendril::test::faults::replaced<decltype(fcntl)>("fcntl");
    return next(fd, command, argument);
}

extern "C" long syscall(long number, ...) {
    va_list rest;
    va_start(rest, number);
    long a[6];
    for (long& each : a) {
        each = va_arg(rest, long);
    }
    va_end(rest);
    static constexpr int set_up_errors[] = {EMFILE, ENFILE, ENOMEM, EPERM, ENOSYS};
    static constexpr int enter_errors[] = {EINTR, EAGAIN, EBUSY, ENOMEM};
    int error = 0;
    if (number == SYS_io_uring_setup) {
        error = tendril::test::faults::error_due("io_uring_setup", set_up_errors);
    } else if (number == SYS_io_uring_enter) {
        error = tendril::test::faults::error_due("io_uring_enter", enter_errors);
    }
    if (error != 0) {
        errno = error;
        return -1;
    }
    static auto* const next = tendril::test::faults::replaced<decltype(syscall)>("syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

namespace tendril::test::faults::inside {

struct thread_start {
    void* (*function)(void*);
    void* argument;
};

/// Of a thread that an exempt one makes.
inline void* run_exempt(void* p) {
    const thread_start start = *static_cast<thread_start*>(p);
    delete static_cast<thread_start*>(p);
    ++exempt;
    return start.function(start.argument);
}

} // namespace tendril::test::faults::inside

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*function)(void*), void* argument) {
    namespace f = tendril::test::faults::inside;
    static constexpr int errors[] = {EAGAIN};
    if (const int e = tendril::test::faults::error_due("pthread_create", errors); e != 0) {
        return e;
    }
    static auto* const next =
        tendril::test::faults::replaced<decltype(pthread_create)>("pthread_create");
    if (f::exempt == 0) {
        return next(thread, attributes, function, argument);
    }
    return next(thread, attributes, f::run_exempt, new f::thread_start{function, argument});
}

#pragma GCC visibility pop
