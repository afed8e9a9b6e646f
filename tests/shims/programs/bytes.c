// SPDX-License-Identifier: BSL-1.0
// Reading and writing on pipes, sockets and files, as libc does it.
#include "asleep.h"
#include "report.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[64];

// Writes to fd as soon as `pid` sleeps, that is, waits for it.
static void write_when_asleep(pid_t pid, int fd, const char* text) {
    until_asleep(pid, pid);
    if (write(fd, text, strlen(text)) < 0)
        _exit(1);
    _exit(0);
}

static void flags(int fd) {
    printf("O_NONBLOCK %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

static void pipes(void) {
    int p[2];
    REPORT(pipe(p) == 0);
    flags(p[0]);
    REPORT(write(p[1], "hello", 5));
    REPORT(read(p[0], buffer, 0));
    REPORT(read(p[0], buffer, unknown(3)));
    REPORT(read(p[0], buffer, sizeof buffer));
    struct iovec in[2] = {{buffer, 2}, {buffer + 8, 8}};
    struct iovec out[2] = {{"ab", 2}, {"cdef", 4}};
    REPORT(writev(p[1], out, 2));
    REPORT(readv(p[0], in, 2));
    printf("%.2s %.4s\n", buffer, buffer + 8);
    REPORT(readv(p[0], in, (int)unknown((size_t)-1)));
    REPORT(preadv2(p[0], in, 2, 0, 0));
    REPORT(pread(p[0], buffer, unknown(4), 0));
    REPORT(pwrite(p[1], buffer, 4, 0));
    REPORT(write(p[1], out, 0));
    // Flags that the kernel refuses, although nothing is there to read.
    REPORT(preadv2(p[0], in, 2, -1, 1 << 20));
    REPORT(pwritev2(p[1], out, 2, -1, 1 << 20));

    REPORT(fcntl(p[0], F_SETFL, O_NONBLOCK));
    flags(p[0]);
    REPORT(read(p[0], buffer, unknown(1)));
    REPORT(fcntl(p[0], F_SETFL, 0));
    flags(p[0]);
    int on = 1, off = 0;
    REPORT(ioctl(p[0], FIONBIO, &on));
    flags(p[0]);
    REPORT(read(p[0], buffer, unknown(1)));
    REPORT(ioctl(p[0], FIONBIO, &off));
    flags(p[0]);

    pid_t parent = getpid(), child = fork();
    if (child == 0)
        write_when_asleep(parent, p[1], "late");
    REPORT(read(p[0], buffer, unknown(9)));
    REPORT(waitpid(child, NULL, 0) == child);

    REPORT(close(p[1]));
    REPORT(read(p[0], buffer, unknown(9)));
    REPORT(close(p[0]));
    REPORT(close(p[0]));
    REPORT(read(p[0], buffer, unknown(1)));
    REPORT(write(p[1], buffer, 1));

    REPORT(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
    flags(p[1]);
    REPORT(close(p[0]));
    REPORT(write(p[1], "x", 1));
    REPORT(close(p[1]));
}

static void sockets(void) {
    int s[2];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    REPORT(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    flags(s[0]);
    REPORT(send(s[0], "hello", 5, 0));
    REPORT(recv(s[1], buffer, unknown(2), MSG_PEEK));
    REPORT(recv(s[1], buffer, unknown(2), 0));
    REPORT(recvfrom(s[1], buffer, unknown(8), 0, (struct sockaddr*)&from, &size));
    REPORT(recv(s[1], buffer, unknown(8), MSG_DONTWAIT));
    struct timeval limit = {0, 20000};
    REPORT(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    double before = seconds_now();
    REPORT(recv(s[1], buffer, unknown(8), 0));
    REPORT(read(s[1], buffer, unknown(8)));
    printf("waited %d\n", seconds_now() - before >= 0.039);
    limit.tv_usec = 0;
    REPORT(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));

    struct iovec one = {"msg", 3};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
    REPORT(sendmsg(s[0], &message, 0));
    one = (struct iovec){buffer, sizeof buffer};
    REPORT(recvmsg(s[1], &message, 0));
    message.msg_iovlen = SIZE_MAX;
    REPORT(sendmsg(s[0], &message, 0));
    REPORT(recvmsg(s[1], &message, 0));

    pid_t parent = getpid(), child = fork();
    if (child == 0)
        write_when_asleep(parent, s[0], "late");
    REPORT(recv(s[1], buffer, unknown(4), MSG_WAITALL));
    REPORT(waitpid(child, NULL, 0) == child);

    REPORT(shutdown(s[0], SHUT_WR));
    REPORT(recv(s[1], buffer, unknown(4), 0));
    REPORT(close(s[1]));
    REPORT(send(s[0], "x", 1, MSG_NOSIGNAL));
    REPORT(sendto(s[0], "x", 1, MSG_NOSIGNAL, NULL, 0));
    REPORT(close(s[0]));
    REPORT(send(s[0], "x", 1, 0));
    REPORT(socket(AF_UNIX, 999, 0));
    REPORT(socketpair(AF_UNIX, 999, 0, s));

    REPORT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
    flags(s[0]);
    struct mmsghdr many[2] = {{{.msg_iov = &one, .msg_iovlen = 1}, 0},
                              {{.msg_iov = &one, .msg_iovlen = 1}, 0}};
    one.iov_len = 3;
    REPORT(sendmmsg(s[0], many, 2, 0));
    REPORT(recvmmsg(s[1], many, 2, 0, NULL));
    struct timespec negative = {-1, 0};
    REPORT(recvmmsg(s[1], many, 2, 0, &negative));
    REPORT(read(s[1], buffer, unknown(1)));
    REPORT(close(s[0]));
    REPORT(close(s[1]));
}

static void counters(void) {
    int event = eventfd(0, 0);
    eventfd_t value = 0;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        until_asleep(parent, parent);
        _exit(eventfd_write(event, 7));
    }
    REPORT(eventfd_read(event, &value));
    printf("value %d\n", (int)value);
    CHECK(waitpid(child, NULL, 0) == child);
    REPORT(eventfd_write(event, UINT64_MAX));
    REPORT(write(event, &value, sizeof value));
    REPORT(read(event, &value, unknown(sizeof value)));
    // It is too little, so that there is nothing to wait for.
    REPORT(read(event, &value, unknown(4)));
    REPORT(fcntl(event, F_SETFL, O_NONBLOCK));
    REPORT(eventfd_read(event, &value));
    REPORT(close(event));
    REPORT(eventfd_read(event, &value));
    REPORT(eventfd_write(event, 1));
}

static void files(const char* name) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    REPORT(write(fd, "0123456789", 10));
    REPORT(pread(fd, buffer, unknown(4), 2));
    printf("%.4s\n", buffer);
    REPORT(pwrite(fd, "xy", 2, 20));
    REPORT(lseek(fd, 0, SEEK_SET));
    REPORT(read(fd, buffer, unknown(64)));
    REPORT(read(fd, buffer, unknown(64)));
    struct iovec in[1] = {{buffer, 8}};
    REPORT(preadv(fd, in, 1, 1));
    REPORT(pwritev(fd, in, 1, 3));
    REPORT(preadv2(fd, in, 1, 0, 0));
    REPORT(pwritev2(fd, in, 1, -1, 0));
    REPORT(lseek(fd, 0, SEEK_CUR));
    REPORT(dup2(fd, fd) == fd);
    int copy = dup(fd);
    REPORT(copy > fd);
    REPORT(dup2(fd, copy) == copy);
    REPORT(dup3(fd, copy, O_CLOEXEC) == copy);
    REPORT(fcntl(copy, F_GETFD));
    REPORT(dup3(fd, fd, 0));
    REPORT(dup2(fd, -1));
    REPORT(dup2(999, fd));
    REPORT(dup(999));
    REPORT(fcntl(fd, F_DUPFD, 100));
    REPORT(fcntl(fd, F_DUPFD_CLOEXEC, 100));
    REPORT(fcntl(999, F_GETFL));
    REPORT(fcntl(fd, F_GETFD, 0));
    REPORT(close_range(100, 101, 0));
    REPORT(fcntl(100, F_GETFD));
    REPORT(close_range(2, 1, 0));
    REPORT(close(copy));
    REPORT(close(fd));
    unlink(name);
}

// To a socket, a pipe and a file; whether the flag is set makes no difference to what arrives.
static void sent_files(const char* name) {
    int s[2], p[2];
    off_t offset = 2;
    int from = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(from >= 0 && write(from, "0123456789", 10) == 10 && lseek(from, 0, SEEK_SET) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
    for (int nonblocking = 0; nonblocking < 2; ++nonblocking) {
        REPORT(fcntl(s[0], F_SETFL, nonblocking != 0 ? O_NONBLOCK : 0));
        REPORT(sendfile(s[0], from, &offset, 3));
        printf("offset %d, position %d\n", (int)offset, (int)lseek(from, 0, SEEK_CUR));
        REPORT(sendfile(s[0], from, NULL, 4));
        printf("position %d\n", (int)lseek(from, 0, SEEK_CUR));
        REPORT(sendfile(p[1], from, NULL, 1000));
        REPORT(sendfile(s[0], from, NULL, 1000));
        REPORT(recv(s[1], buffer, unknown(64), 0));
        printf("%.7s\n", buffer);
        REPORT(read(p[0], buffer, unknown(64)));
        CHECK(lseek(from, 0, SEEK_SET) == 0);
    }
    offset = -1;
    REPORT(sendfile(s[0], from, &offset, 3));
    REPORT(sendfile(s[0], -1, NULL, 3));
    REPORT(sendfile(-1, from, NULL, 3));
    REPORT(sendfile(s[0], s[1], NULL, 3));
    REPORT(sendfile(s[0], from, NULL, (size_t)-1));
    CHECK(close(s[1]) == 0);
    REPORT(sendfile(s[0], from, NULL, 3));
    CHECK(close(s[0]) == 0 && close(p[0]) == 0 && close(p[1]) == 0 && close(from) == 0);
    unlink(name);
}

int main(int argc, char** argv) {
    CHECK(argc == 2);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    signal(SIGPIPE, SIG_IGN);
    pipes();
    sockets();
    counters();
    files(argv[1]);
    sent_files(argv[1]);
    return 0;
}
