// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace tendril::sys {

// Every libc function that Tendril calls and that a shim may replace. The library calls them
// through this table only: when a shim is in the process it hands over the originals (rebind), so
// that hub code running inside a fiber never comes back to itself.
// clang-format off
#define TENDRIL_SYS_CALLS(X)                                                                        \
    X(read) X(write) X(readv) X(writev) X(preadv2) X(pwritev2) X(vmsplice)                          \
    X(recv) X(recvfrom) X(sendto) X(recvmsg) X(sendmsg) X(recvmmsg) X(sendmmsg) X(sendfile)         \
    X(socket) X(socketpair) X(accept4) X(connect) X(bind) X(listen) X(shutdown)                     \
    X(getsockopt) X(setsockopt) X(close) X(dup2) X(dup3) X(fcntl) X(ioctl) X(pipe2)                 \
    X(poll)                                                                                         \
    X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(epoll_pwait2)                                     \
    X(clock_nanosleep) X(getaddrinfo) X(freeaddrinfo) X(getnameinfo)                                \
    X(gethostbyname2_r) X(gethostbyaddr_r) X(wait4) X(waitid) X(posix_spawn) X(sigaction)         \
    X(sigtimedwait)                                                                                 \
    X(fstat) X(openat) X(fsync) X(fdatasync) X(syncfs) X(sync) X(flock)                                      \
    X(ftrylockfile) X(funlockfile) X(fread_unlocked) X(fwrite_unlocked) X(fflush_unlocked)          \
    X(__overflow) X(setvbuf) X(fclose)
// clang-format on

struct calls {
#define TENDRIL_SYS_MEMBER(name) decltype(&::name) name = &::name;
    TENDRIL_SYS_CALLS(TENDRIL_SYS_MEMBER)
#undef TENDRIL_SYS_MEMBER
};

extern calls real;

/// Takes the originals from a shim; `lookup` returns null for what it does not replace. Call before
/// any second thread uses the library.
void rebind(void* (*lookup)(const char* name)) noexcept;

} // namespace tendril::sys
