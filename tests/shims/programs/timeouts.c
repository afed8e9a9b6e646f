// SPDX-License-Identifier: BSL-1.0
// SO_RCVTIMEO and SO_SNDTIMEO, and what a call returns that received only part of what it was to.
#include "pairs.h"
#include "report.h"
#include "time_limits.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_RECEIVE 66 // SO_RCVTIMEO_NEW and SO_SNDTIMEO_NEW of asm-generic/socket.h
#define NEW_SEND 67

// --- the options themselves ----------------------------------------------------------------------

static void show(int fd, int option) {
    struct timeval t = {77, 77};
    socklen_t size = sizeof t;
    REPORT(getsockopt(fd, SOL_SOCKET, option, &t, &size));
    printf("  %ld s %ld us, %d bytes\n", (long)t.tv_sec, (long)t.tv_usec, (int)size);
}

static void options(void) {
    static const struct timeval values[] = {{0, 20000},
                                            {0, 1},
                                            {1, 500000},
                                            {0, 1000000},
                                            {0, -1},
                                            {LONG_MAX, 0},
                                            {LONG_MAX / 300, 0},
                                            {LONG_MAX / 1000, 0},
                                            {10000000000, 0},
                                            {0, 0},
                                            {-1, 0},
                                            {0, 30000}};
    int s[2], pipe_ends[2];
    unix_pair(s);
    CHECK(pipe(pipe_ends) == 0);
    for (size_t i = 0; i < sizeof values / sizeof *values; ++i) {
        printf("{%ld, %ld}\n", (long)values[i].tv_sec, (long)values[i].tv_usec);
        REPORT(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &values[i], sizeof *values));
        show(s[0], SO_RCVTIMEO);
        show(s[0], NEW_RECEIVE);
        show(s[0], SO_SNDTIMEO);
        REPORT(setsockopt(s[0], SOL_SOCKET, NEW_SEND, &values[i], sizeof *values));
        show(s[0], SO_SNDTIMEO);
    }
    REPORT(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, values, 4));
    REPORT(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, NULL, sizeof *values));
    REPORT(setsockopt(pipe_ends[0], SOL_SOCKET, SO_RCVTIMEO, values, sizeof *values));
    REPORT(setsockopt(-1, SOL_SOCKET, SO_RCVTIMEO, values, sizeof *values));
    both_closed(s);
    both_closed(pipe_ends);
}

static void put_x(int fd) {
    CHECK(send(fd, "x", 1, 0) == 1);
}

// Fewer than SO_RCVLOWAT bytes would not wake a TCP receiver that has part already.
static void put_four(int fd) {
    CHECK(send(fd, "wxyz", 4, 0) == 4);
}

// Times that hardly fit, or do not: for ever; a negative one: never.
static void strange_times(void) {
    static const struct timeval values[] = {
        {LONG_MAX, 0}, {LONG_MAX / 300, 0}, {LONG_MAX / 1000, 0}, {10000000000, 0}, {0, 0}};
    for (int k = 0; k < kind_count; ++k) {
        int s[2];
        struct act act;
        kinds[k].make(s);
        for (size_t i = 0; i < sizeof values / sizeof *values; ++i) {
            CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &values[i], sizeof *values) == 0);
            meanwhile(&act, put_x, s[1]);
            REPORT(recv(s[0], buffer, unknown(9), 0));
            done(&act);
        }
        struct timeval never = {-1, 0};
        CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never) == 0);
        REPORT(recv(s[0], buffer, unknown(9), 0));
        int copy = dup(s[0]);
        REPORT(recv(copy, buffer, unknown(9), 0));
        limit(copy, SO_RCVTIMEO, 12);
        TIMED(12, recv(s[0], buffer, unknown(9), 0));
        CHECK(setsockopt(copy, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never) == 0);
        REPORT(recv(s[0], buffer, unknown(9), 0));
        close(copy);
        both_closed(s);
    }
}

// --- receiving -----------------------------------------------------------------------------------

static void every_way_to_receive(int fd) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    struct iovec parts[2] = {{buffer, 3}, {buffer + 3, 60}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr many[2] = {{message, 0}, {message, 0}};
    TIMED(4, read(fd, buffer, unknown(9)));
    TIMED(4, readv(fd, parts, 2));
    TIMED(4, preadv2(fd, parts, 2, -1, 0));
    TIMED(4, recv(fd, buffer, unknown(9), 0));
    TIMED(4, recv(fd, buffer, unknown(9), MSG_PEEK));
    TIMED(4, recv(fd, buffer, unknown(9), MSG_WAITALL));
    TIMED(4, recvfrom(fd, buffer, unknown(9), 0, (struct sockaddr*)&from, &size));
    TIMED(4, recvmsg(fd, &message, 0));
    TIMED(4, recvmmsg(fd, many, 2, 0, NULL));
    REPORT(recv(fd, buffer, unknown(9), MSG_DONTWAIT));
    REPORT(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void shorten(int fd) {
    limit(fd, SO_RCVTIMEO, 1);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
}

static int other_end;
static void shorten_then_put(int fd) {
    shorten(fd);
    CHECK(send(other_end, "y", 1, 0) == 1);
}

static void receiving(const struct kind* kind) {
    printf("receiving: %s\n", kind->name);
    int s[2];
    struct act act;
    kind->make(s);
    limit(s[0], SO_RCVTIMEO, 4);
    every_way_to_receive(s[0]);
    // One at a time, with the option set by another fd of the description, and by another process.
    int copy = dup(s[0]);
    limit(copy, SO_RCVTIMEO, 12);
    TIMED(12, recv(s[0], buffer, unknown(9), 0));
    limit(s[0], SO_RCVTIMEO, 8);
    TIMED(8, recv(copy, buffer, unknown(9), 0));
    TIMED(8, recv(s[0], buffer, unknown(9), 0));
    pid_t child = fork();
    if (child == 0) {
        limit(s[0], SO_RCVTIMEO, 16);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    TIMED(16, recv(s[0], buffer, unknown(9), 0));
    child = fork();
    if (child == 0) {
        fcntl(s[0], F_SETFL, O_RDWR | O_NONBLOCK);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    limit(copy, SO_RCVTIMEO, 0);
    REPORT(recv(s[0], buffer, unknown(9), 0));
    REPORT(recv(copy, buffer, unknown(9), 0));
    REPORT(fcntl(s[0], F_SETFL, O_RDWR));
    limit(s[0], SO_RCVTIMEO, 12);
    REPORT(poll(&(struct pollfd){s[0], POLLIN, 0}, 1, 20));
    // Whoever waits already goes on waiting.
    limit(s[0], SO_RCVTIMEO, 0);
    other_end = s[1];
    meanwhile(&act, shorten_then_put, s[0]);
    REPORT(recv(s[0], buffer, unknown(9), 0));
    done(&act);
    TIMED(1, recv(s[0], buffer, unknown(9), 0));
    close(copy);

    // Part of what was asked for.
    limit(s[0], SO_RCVTIMEO, 4);
    struct iovec parts[2] = {{buffer, 2}, {buffer + 2, 60}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    for (int i = 0; i < 6; ++i)
        CHECK(send(s[1], "abc", 3, 0) == 3);
    REPORT(recv(s[0], buffer, unknown(5), MSG_PEEK));
    REPORT(recv(s[0], buffer, unknown(5), MSG_WAITALL));
    REPORT(recv(s[0], buffer, unknown(5), MSG_PEEK | MSG_WAITALL));
    REPORT(recv(s[0], buffer, unknown(50), MSG_PEEK | MSG_WAITALL));
    REPORT(recvmsg(s[0], &message, MSG_WAITALL));
    printf("  flags %x\n", message.msg_flags);
    if (kind->stream)
        TIMED(4, recv(s[0], buffer, unknown(50), MSG_WAITALL));
    limit(s[0], SO_RCVTIMEO, 1);
    while (recv(s[0], buffer, sizeof buffer, 0) > 0) {
    }
    // Nothing to read at all.
    REPORT(read(s[0], buffer, 0));
    REPORT(recv(s[0], NULL, 0, 0));
    both_closed(s);
}

// A timeout that ends before all messages came keeps those that did.
static void many_messages(const struct kind* kind) {
    printf("recvmmsg: %s\n", kind->name);
    int s[2];
    kind->make(s);
    struct iovec part[4];
    struct mmsghdr many[4];
    memset(many, 0, sizeof many);
    for (int i = 0; i < 4; ++i) {
        part[i] = (struct iovec){buffer + 8 * i, 8};
        many[i].msg_hdr = (struct msghdr){.msg_iov = &part[i], .msg_iovlen = 1};
    }
    limit(s[0], SO_RCVTIMEO, 4);
    for (int i = 0; i < 3; ++i)
        CHECK(send(s[1], "abcdefgh", 8, 0) == 8);
    TIMED(4, recvmmsg(s[0], many, 4, 0, NULL));
    for (int i = 0; i < 3; ++i)
        CHECK(send(s[1], "abcdefgh", 8, 0) == 8);
    REPORT(recvmmsg(s[0], many, 4, MSG_WAITFORONE, NULL));
    both_closed(s);
}

// SO_RCVLOWAT makes a call wait for more than one byte.
static void low_water(const struct kind* kind) {
    printf("SO_RCVLOWAT: %s\n", kind->name);
    int s[2], four = 4, one = 1;
    struct act act;
    kind->make(s);
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVLOWAT, &four, sizeof four) == 0);
    limit(s[0], SO_RCVTIMEO, 4);
    CHECK(send(s[1], "abc", 3, 0) == 3);
    REPORT(recv(s[0], buffer, unknown(9), MSG_DONTWAIT | MSG_PEEK));
    REPORT(recv(s[0], buffer, unknown(2), 0));
    TIMED(4, recv(s[0], buffer, unknown(9), 0));
    limit(s[0], SO_RCVTIMEO, 0);
    CHECK(send(s[1], "abc", 3, 0) == 3);
    meanwhile(&act, put_four, s[1]);
    REPORT(read(s[0], buffer, unknown(9)));
    done(&act);
    CHECK(send(s[1], "abc", 3, 0) == 3);
    REPORT(fcntl(s[0], F_SETFL, O_RDWR | O_NONBLOCK));
    REPORT(recv(s[0], buffer, unknown(9), 0));
    REPORT(fcntl(s[0], F_SETFL, O_RDWR));
    CHECK(send(s[1], "abc", 3, 0) == 3);
    close(s[1]);
    REPORT(recv(s[0], buffer, unknown(9), 0));
    REPORT(recv(s[0], buffer, unknown(9), 0));
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one) == 0);
    close(s[0]);
}

// --- connections ---------------------------------------------------------------------------------

static void connecting(int family) {
    printf("connecting: %s\n", family == AF_INET ? "tcp" : "unix");
    struct sockaddr_storage a;
    socklen_t size;
    int listener = listening(family, &a, &size), queued[4];
    limit(listener, SO_RCVTIMEO, 4);
    TIMED(4, accept(listener, NULL, NULL));
    TIMED(4, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    for (int i = 0; i < 4; ++i) {
        queued[i] = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(queued[i], (struct sockaddr*)&a, size);
    }
    int fd = socket(family, SOCK_STREAM, 0);
    limit(fd, SO_SNDTIMEO, 4);
    TIMED(4, connect(fd, (struct sockaddr*)&a, size));
    TIMED(4, connect(fd, (struct sockaddr*)&a, size));
    TIMED(4, connect(fd, (struct sockaddr*)&a, size));
    REPORT(fcntl(fd, F_GETFL) & O_NONBLOCK);
    struct timeval never = {-1, 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never) == 0);
    REPORT(connect(fd, (struct sockaddr*)&a, size));
    // A call that has to wait for the connection first.
    limit(fd, SO_SNDTIMEO, 4);
    if (family == AF_INET) {
        limit(fd, SO_RCVTIMEO, 4);
        TIMED(4, send(fd, "x", 1, 0));
        TIMED(4, recv(fd, buffer, unknown(1), 0));
    }
    // An accepted TCP socket has the listener's options.
    int one = accept(listener, NULL, NULL);
    CHECK(one >= 0);
    show(one, SO_RCVTIMEO);
    limit(one, SO_RCVTIMEO, 4);
    TIMED(4, recv(one, buffer, unknown(1), 0));
    close(one);
    close(fd);
    for (int i = 0; i < 4; ++i)
        close(queued[i]);
    close(listener);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    options();
    strange_times();
    for (int i = 0; i < kind_count; ++i) {
        receiving(&kinds[i]);
        if (kinds[i].stream) {
            low_water(&kinds[i]);
        } else {
            many_messages(&kinds[i]);
        }
    }
    connecting(AF_INET);
    connecting(AF_UNIX);
    return 0;
}
