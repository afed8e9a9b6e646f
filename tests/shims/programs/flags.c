// SPDX-License-Identifier: BSL-1.0
// O_NONBLOCK as the program sees it, and as a child sees it that is another program: while calls
// wait and afterwards, and after every way to set the flag.
#include "asleep.h"
#include "report.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[100000];

// --- the other program ---------------------------------------------------------------------------

// What the kernel says, whoever else has a say in it.
static int raw_flags(int fd) {
    return (int)syscall(SYS_fcntl, fd, F_GETFL);
}

static int other_program(int count, char** fds) {
    for (int i = 0; i < count; ++i)
        dprintf(1, " %o", (unsigned)raw_flags(atoi(fds[i])) & (O_NONBLOCK | O_APPEND | O_ASYNC));
    return 0;
}

// Prints how the fds look there; ends with -1. Several threads may ask.
static void seen_by_another(char* text, size_t room, ...) {
    char numbers[8][12];
    char* arguments[10] = {"flags", "show"};
    int count = 0, ends[2], fd;
    va_list list;
    va_start(list, room);
    while ((fd = va_arg(list, int)) >= 0) {
        snprintf(numbers[count], sizeof numbers[count], "%d", fd);
        arguments[2 + count] = numbers[count];
        ++count;
    }
    va_end(list);
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(ends[1], 1);
        execve("/proc/self/exe", arguments, (char*[]){NULL});
        _exit(127);
    }
    close(ends[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(ends[0], text + got, room - 1 - got)) > 0;)
        got += (size_t)n;
    text[got] = 0;
    close(ends[0]);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

#define SEEN(...)                                                                                  \
    do {                                                                                           \
        char text_[100];                                                                           \
        seen_by_another(text_, sizeof text_, __VA_ARGS__, -1);                                     \
        printf("%-40s %s\n", #__VA_ARGS__, text_);                                                 \
    } while (0)

static void flags(int fd) {
    printf("F_GETFL %o\n", (unsigned)fcntl(fd, F_GETFL) & O_NONBLOCK);
}

// --- somebody who looks while this thread waits --------------------------------------------------

static struct look {
    pid_t waiter;
    int fds[2];
    void (*then)(void);
    pthread_t thread;
    char text[100];
} look;

static void* run_look(void* unused) {
    (void)unused;
    until_asleep(getpid(), look.waiter);
    nanosleep(&(struct timespec){0, 10000000}, NULL);
    seen_by_another(look.text, sizeof look.text, look.fds[0], look.fds[1], -1);
    if (look.then != NULL)
        look.then();
    return NULL;
}

static void meanwhile(int fd, int another, void (*then)(void)) {
    look.waiter = gettid();
    look.fds[0] = fd;
    look.fds[1] = another;
    look.then = then;
    CHECK(pthread_create(&look.thread, NULL, run_look, NULL) == 0);
}

static void seen_meanwhile(const char* what) {
    CHECK(pthread_join(look.thread, NULL) == 0);
    printf("while it waited in %-20s %s\n", what, look.text);
}

static int ends[2];
static void write_it(void) {
    CHECK(write(ends[1], "x", 1) == 1);
}
static void read_it(void) {
    static char there[100000];
    for (int i = 0; i < 100 && read(ends[0], there, sizeof there) == (ssize_t)sizeof there; ++i) {
    }
}

static void waiting(const char* what) {
    printf("%s\n", what);
    meanwhile(ends[0], ends[1], write_it);
    REPORT(read(ends[0], buffer, unknown(10)));
    seen_meanwhile("read");
    // More than fits; the other side takes all but what fits.
    meanwhile(ends[0], ends[1], read_it);
    int limited = strcmp(what, "pipe") != 0 && strcmp(what, "terminal") != 0;
    if (limited) {
        struct timeval limit = {0, 100000};
        CHECK(setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    }
    long n = 0;
    for (int i = 0; i < (limited ? 100 : 1) && n >= 0; ++i)
        n = write(ends[1], buffer, sizeof buffer);
    seen_meanwhile("write");
    flags(ends[0]);
    SEEN(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
}

static struct sockaddr_in address;
static int listener;
static void connect_to_it(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr*)&address, sizeof address) == 0);
    close(fd);
}

static void listen_anywhere(int queue) {
    socklen_t size = sizeof address;
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr*)&address, sizeof address) == 0 &&
          listen(listener, queue) == 0);
    CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
}

static void connections(void) {
    printf("connections\n");
    listen_anywhere(5);
    meanwhile(listener, listener, connect_to_it);
    int one = accept(listener, NULL, NULL);
    CHECK(one >= 0);
    seen_meanwhile("accept");
    flags(one);
    SEEN(listener, one);
    close(one);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    REPORT(connect(fd, (struct sockaddr*)&address, sizeof address));
    flags(fd);
    SEEN(fd);
    one = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    flags(one);
    REPORT(read(one, buffer, unknown(1)));
    SEEN(one);
    close(one);
    close(fd);
    close(listener);

    // In progress: nobody accepts.
    listen_anywhere(0);
    int queued[3];
    for (int i = 0; i < 3; ++i) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(queued[i], (struct sockaddr*)&address, sizeof address);
    }
    fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {0, 100000};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    meanwhile(fd, queued[0], NULL);
    REPORT(connect(fd, (struct sockaddr*)&address, sizeof address));
    seen_meanwhile("connect");
    flags(fd);
    SEEN(fd);
    for (int i = 0; i < 3; ++i)
        close(queued[i]);
    close(fd);
    close(listener);
}

// --- the program's own wish ----------------------------------------------------------------------

static void wishes(int fd, const char* what) {
    printf("%s\n", what);
    int on = 1, off = 0, before = fcntl(fd, F_GETFL);
    REPORT(fcntl(fd, F_SETFL, before | O_NONBLOCK));
    flags(fd);
    REPORT(read(fd, buffer, unknown(1)));
    SEEN(fd);
    REPORT(fcntl(fd, F_SETFL, before));
    flags(fd);
    SEEN(fd);
    REPORT(ioctl(fd, FIONBIO, &on));
    flags(fd);
    REPORT(read(fd, buffer, unknown(1)));
    REPORT(ioctl(fd, FIONBIO, &on));
    int copies[4] = {dup(fd), dup2(fd, 50), dup3(fd, 51, O_CLOEXEC), fcntl(fd, F_DUPFD, 52)};
    for (int i = 0; i < 4; ++i)
        REPORT(read(copies[i], buffer, unknown(1)));
    flags(copies[0]);
    SEEN(fd, copies[1], copies[3]);
    REPORT(ioctl(copies[1], FIONBIO, &off));
    for (int i = 0; i < 4; ++i)
        flags(copies[i]);
    flags(fd);
    REPORT(fcntl(copies[3], F_SETFL, before | O_NONBLOCK | O_APPEND));
    REPORT(read(fd, buffer, unknown(1)));
    SEEN(fd, copies[0]);
    // Set by another process.
    pid_t child = fork();
    if (child == 0) {
        fcntl(copies[0], F_SETFL, before);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    flags(fd);
    child = fork();
    if (child == 0) {
        int yes = 1;
        _exit(ioctl(copies[0], FIONBIO, &yes));
    }
    CHECK(waitpid(child, NULL, 0) == child);
    REPORT(read(copies[3], buffer, unknown(1)));
    for (int i = 0; i < 4; ++i)
        close(copies[i]);
}

// A description passed to another process is what it was.
static void passing(int fd, const char* what) {
    printf("passed: %s\n", what);
    int way[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child != 0) {
        char room[CMSG_SPACE(sizeof fd)] = {0}, byte = 'x';
        struct iovec part = {&byte, 1};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
        struct cmsghdr* c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
        REPORT(sendmsg(way[0], &message, 0));
        int status = -1;
        REPORT(waitpid(child, &status, 0) == child);
        REPORT(status);
        REPORT(read(fd, buffer, unknown(1))); // the child made it so
        close(way[0]);
        close(way[1]);
        return;
    }
    close(fd);
    char room[CMSG_SPACE(sizeof fd)], byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    CHECK(recvmsg(way[1], &message, 0) == 1);
    int got = -1;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
    CHECK((raw_flags(got) & O_NONBLOCK) == 0);
    CHECK(fcntl(got, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    CHECK(read(got, buffer, unknown(1)) == -1 && errno == EAGAIN);
    _exit(0);
}

int main(int argc, char** argv) {
    if (argc > 2 && strcmp(argv[1], "show") == 0)
        return other_program(argc - 2, argv + 2);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    CHECK(pipe(ends) == 0);
    waiting("pipe");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    waiting("unix");
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    waiting("datagram");
    connections();

    CHECK(pipe(ends) == 0);
    wishes(ends[0], "pipe");
    close(ends[0]);
    close(ends[1]);
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    flags(ends[0]);
    SEEN(ends[0], ends[1]);
    REPORT(read(ends[0], buffer, unknown(1)));
    close(ends[0]);
    close(ends[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    wishes(ends[0], "unix");
    close(ends[0]);
    close(ends[1]);
    CHECK(openpty(&ends[1], &ends[0], NULL, NULL, NULL) == 0);
    wishes(ends[0], "terminal");
    close(ends[0]);
    close(ends[1]);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    flags(fd);
    REPORT(recv(fd, buffer, unknown(1), 0));
    SEEN(fd);
    REPORT(fcntl(fd, F_SETFL, O_RDWR));
    wishes(fd, "udp");
    passing(fd, "udp");
    close(fd);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    passing(ends[0], "unix");
    return 0;
}
