// SPDX-License-Identifier: BSL-1.0
// A signal handler every millisecond while bytes come and go: all arrive, in order, and only calls
// that may be interrupted are.
#include "report.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { total = 2 << 20, block = 64 << 10 };

static volatile sig_atomic_t handled;
static void handler(int number) {
    (void)number;
    handled = handled + 1;
}

static void storm(int flags, int on) {
    const struct itimerval every = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static char pattern(long at) {
    return (char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

// Reads or writes it all, in each of several ways; returns how often it was interrupted.
static int transfer(int fd, int writes) {
    static char buffer[block];
    int interrupted = 0;
    for (long done = 0, turn = 0; done < total; ++turn) {
        size_t size = (size_t)(turn % 3 == 0 ? block : 1 + turn * 7919 % block);
        if (size > (size_t)(total - done))
            size = (size_t)(total - done);
        struct iovec parts[2] = {{buffer, size / 2}, {buffer + size / 2, size - size / 2}};
        for (size_t i = 0; writes && i < size; ++i)
            buffer[i] = pattern(done + (long)i);
        if (turn % 4 == 0) {
            struct pollfd p = {fd, writes ? POLLOUT : POLLIN, 0};
            int n = poll(&p, unknown(1), -1);
            CHECK(n == 1 || errno == EINTR);
        }
        ssize_t n = turn % 2 == 0 ? (writes ? write(fd, buffer, unknown(size))
                                            : read(fd, buffer, unknown(size)))
                                  : (writes ? writev(fd, parts, 2) : readv(fd, parts, 2));
        if (n < 0) {
            CHECK(errno == EINTR);
            ++interrupted;
            continue;
        }
        CHECK(n > 0);
        for (ssize_t i = 0; !writes && i < n; ++i)
            CHECK(buffer[i] == pattern(done + i));
        done += n;
    }
    return interrupted;
}

// The other end: it stops again and again, so that there is something to wait for.
static void other_end(int fd, int writes) {
    static char buffer[block];
    for (long done = 0, turn = 0; done < total; ++turn) {
        if (turn % 4 == 0)
            usleep(3000);
        size_t size = (size_t)(total - done < block ? total - done : block);
        for (size_t i = 0; writes && i < size; ++i)
            buffer[i] = pattern(done + (long)i);
        ssize_t n = writes ? write(fd, buffer, size) : read(fd, buffer, size);
        CHECK(n > 0);
        for (ssize_t i = 0; !writes && i < n; ++i)
            CHECK(buffer[i] == pattern(done + i));
        done += n;
    }
    _exit(0);
}

static void tcp(int ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr*)&address, size) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(ends[1], (struct sockaddr*)&address, size) == 0);
    ends[0] = accept(listener, NULL, NULL);
    CHECK(ends[0] >= 0 && close(listener) == 0);
}

static void run(const char* what, int ends[2], int writes, int flags) {
    int mine = ends[writes ? 1 : 0], theirs = ends[writes ? 0 : 1];
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(mine);
        other_end(theirs, !writes);
    }
    close(theirs);
    handled = 0;
    storm(flags, 1);
    int interrupted = transfer(mine, writes);
    while (handled < 10) { // sleeps end early, with a remainder
        struct timespec hour = {3600, 0}, left = {0, 0};
        CHECK(nanosleep(&hour, &left) == -1 && errno == EINTR && left.tv_sec >= 3500);
    }
    int status = -1, others = 0;
    pid_t ended;
    while ((ended = waitpid(child, &status, 0)) < 0) {
        CHECK(errno == EINTR);
        ++others;
    }
    storm(flags, 0);
    CHECK(ended == child && status == 0);
    printf("%s, %s, %s: all bytes, %s\n", what, writes ? "written" : "read",
           flags != 0 ? "SA_RESTART" : "interrupting",
           flags != 0 && interrupted + others != 0 ? "but interrupted" : "as it should be");
    close(mine);
}

int main(void) {
    for (int each = 0; each < 12; ++each) {
        int ends[2], flags = each % 2 != 0 ? SA_RESTART : 0, writes = each / 2 % 2;
        if (each / 4 == 0) {
            CHECK(pipe(ends) == 0);
            run("pipe", ends, writes, flags);
        } else if (each / 4 == 1) {
            CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
            run("unix", ends, writes, flags);
        } else {
            tcp(ends);
            run("tcp", ends, writes, flags);
        }
    }
    return 0;
}
