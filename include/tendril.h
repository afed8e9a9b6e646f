/* SPDX-License-Identifier: BSL-1.0 */
#ifndef TENDRIL_H
#define TENDRIL_H

/* Tendril for C (C99): enough to spawn fibers, wait, sleep and do I/O.

   Where a call would block the thread, it parks the calling fiber, and other fibers run. A thread
   gets its hub on first use, and is then its main fiber. Functions that return int or ssize_t
   return -1 on failure and set errno, those that return a pointer NULL. Beside the errors listed:
   ENOMEM; EMFILE, ENFILE the thread's hub could not be made; ECANCELED the wait was cancelled or
   the thread ends; EDEADLK of tendril_join and tendril_drain in the main fiber: all fibers wait for
   each other, for ever (tendril_dump_fibers tells for what). errno is the fiber's own, as it is a
   thread's. */

#include <tendril/export.hpp>

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- fibers ------------------------------------------------------------------------------- */

/* A handle to a fiber: give it back by tendril_join, tendril_join_for or tendril_detach. */
typedef struct tendril_fiber tendril_fiber;

/* How to spawn; all zero, or no options at all, means the defaults. */
typedef struct tendril_spawn_options {
    const char* name;  /* for reports and dumps; copied */
    size_t stack_size; /* bytes of address space; 0 is 256 KiB */
} tendril_spawn_options;

/* Starts a fiber that calls function(argument) on the calling thread's hub; it first runs when the
   caller next waits or yields. EINVAL: the stack size is out of range. */
TENDRIL_EXPORT tendril_fiber* tendril_spawn(void* (*function)(void* argument), void* argument,
                                            const tendril_spawn_options* options);

/* Waits until the fiber has ended, frees the handle, and stores what its function returned in
   *result, unless that is null. EDEADLK: a fiber joins itself. The handle stays valid on failure,
   but for two errors that say that the fiber ended without a result: ENOMEM, it got no stack and
   never ran; EOWNERDEAD, it was cancelled before it began, or its thread ended before it. */
TENDRIL_EXPORT int tendril_join(tendril_fiber* fiber, void** result);

/* The same for at most so many nanoseconds (zero or less: only looks). ETIMEDOUT: it goes on. */
TENDRIL_EXPORT int tendril_join_for(tendril_fiber* fiber, int64_t nanoseconds, void** result);

/* From now on each wait of the fiber fails with ECANCELED, until its function returns; that of a
   fiber which has not begun is never called. Does not wait. Any thread may call it. The reason is
   copied; it may be null. */
TENDRIL_EXPORT int tendril_cancel(tendril_fiber* fiber, const char* reason);

/* Frees the handle; the fiber runs on by itself. */
TENDRIL_EXPORT void tendril_detach(tendril_fiber* fiber);

/* The fiber's number: unique in the process, never 0. */
TENDRIL_EXPORT uint64_t tendril_id(const tendril_fiber* fiber);

/* The calling fiber's number; 0 if the thread has no hub and none can be made. */
TENDRIL_EXPORT uint64_t tendril_self(void);

/* Lets every other runnable fiber of this thread go first. */
TENDRIL_EXPORT int tendril_yield(void);

/* Parks the calling fiber for at least so many nanoseconds; zero or less yields. */
TENDRIL_EXPORT int tendril_sleep_ns(int64_t nanoseconds);

/* Writes to fd a line for each fiber of this thread that has not ended: its number and name, what
   it does or waits for, who spawned it and where. Does not park the caller. */
TENDRIL_EXPORT int tendril_dump_fibers(int fd);

/* Waits until every other fiber of this thread has ended. Without it they are abandoned when main
   returns. */
TENDRIL_EXPORT int tendril_drain(void);

/* ---- I/O on file descriptors ---------------------------------------------------------------- */

/* As the calls of POSIX and Linux without the prefix, whose man pages apply. They wait for their
   outcome also on an fd that has O_NONBLOCK set, and change no flags; MSG_DONTWAIT never waits.
   SO_RCVTIMEO and SO_SNDTIMEO do not count here; to wait for a limited time use tendril_poll. */
TENDRIL_EXPORT ssize_t tendril_read(int fd, void* buffer, size_t size);
TENDRIL_EXPORT ssize_t tendril_write(int fd, const void* buffer, size_t size); /* all of it */
TENDRIL_EXPORT ssize_t tendril_readv(int fd, const struct iovec* buffers, int count);
TENDRIL_EXPORT ssize_t tendril_writev(int fd, const struct iovec* buffers, int count);
TENDRIL_EXPORT ssize_t tendril_recv(int fd, void* buffer, size_t size, int flags);
TENDRIL_EXPORT ssize_t tendril_send(int fd, const void* buffer, size_t size, int flags);
TENDRIL_EXPORT ssize_t tendril_recvfrom(int fd, void* buffer, size_t size, int flags,
                                        struct sockaddr* from, socklen_t* from_size);
TENDRIL_EXPORT ssize_t tendril_sendto(int fd, const void* buffer, size_t size, int flags,
                                      const struct sockaddr* to, socklen_t to_size);
TENDRIL_EXPORT ssize_t tendril_recvmsg(int fd, struct msghdr* message, int flags);
TENDRIL_EXPORT ssize_t tendril_sendmsg(int fd, const struct msghdr* message, int flags);
TENDRIL_EXPORT ssize_t tendril_sendfile(int out, int in, off_t* offset, size_t count);
TENDRIL_EXPORT int tendril_connect(int fd, const struct sockaddr* to, socklen_t to_size);
TENDRIL_EXPORT int tendril_accept(int fd, struct sockaddr* peer, socklen_t* peer_size);
TENDRIL_EXPORT int tendril_accept4(int fd, struct sockaddr* peer, socklen_t* peer_size, int flags);
TENDRIL_EXPORT int tendril_shutdown(int fd, int how);
TENDRIL_EXPORT int tendril_poll(struct pollfd* fds, nfds_t count, int timeout_ms);

/* Closes fd; whoever waits for it gets EBADF. Never waits. */
TENDRIL_EXPORT int tendril_close(int fd);

/* ---- TCP ------------------------------------------------------------------------------------ */

/* Connects to "127.0.0.1:80", "[::1]:80" or "host:service" and returns the fd. A name's addresses
   are tried in order; negative nanoseconds: no time limit. errno is that of the last address;
   EINVAL: the text is none of these; ENOENT: there is no such host or service; EAGAIN: no name
   server answered; ETIMEDOUT. The fd is SOCK_NONBLOCK and SOCK_CLOEXEC. */
TENDRIL_EXPORT int tendril_tcp_connect(const char* endpoint, int64_t nanoseconds);

/* Listens on "127.0.0.1:80", "[::]:80", ":80" (every address) and returns the fd, likewise. Port 0
   takes a free one: getsockname(2) tells. backlog 0: 4096. */
TENDRIL_EXPORT int tendril_tcp_listen(const char* endpoint, int backlog);

/* Waits for the next connection and returns its fd, likewise. Connections that broke in the queue
   are passed over; while no fd is left (EMFILE…) it waits for one. */
TENDRIL_EXPORT int tendril_tcp_accept(int fd);

/* ---- what libraries keep per thread ---------------------------------------------------------- */

/* What each fiber should have of its own: a queue of errors, a current locale. Called while the
   thread changes from one fiber to the next: these must not wait nor call Tendril, and need little
   stack. errno may change. */
struct tendril_thread_state {
    /* Takes the calling thread's state away, which is then that of a new thread. Null: none. */
    void* (*take)(void* context);
    /* Gives the thread back what take returned; null for a fiber that has none. */
    void (*give)(void* context, void* state);
    /* The fiber that it was taken from has ended. Never null. */
    void (*drop)(void* context, void* state);
    void* context;
};

/* From now on, until the calling thread ends, each of its fibers has a state of its own; the
   calling fiber keeps what is there now. 0, also if it is registered already, or -1 with ENOMEM. */
TENDRIL_EXPORT int tendril_keep_per_fiber(const struct tendril_thread_state* state);

/* The same for OpenSSL's queue of errors; under the shim nobody need call it. 0, or -1 with ENOENT:
   there is no OpenSSL in the process that has been used, or none that is known. */
TENDRIL_EXPORT int tendril_keep_openssl_errors_per_fiber(void);

/* ---- the library ---------------------------------------------------------------------------- */

/* Not 0: calls of the libc function of that name, as "read" or "__read_chk", reach the shim in this
   process, and wait in the hub on threads that have one; or the hub hears of them, as of "close".
   0: they go to libc (no shim came before it, it serves another copy of this library, the family is
   switched off), or the shim does not replace that function. TENDRIL_DENY does not count here. */
TENDRIL_EXPORT int tendril_is_shimmed(const char* name);

/* Its version, as "0.1.0". */
TENDRIL_EXPORT const char* tendril_version(void);

#ifdef __cplusplus
}
#endif

#endif
