// SPDX-License-Identifier: BSL-1.0
// A signal handler that writes to a pipe while the program waits: for that pipe, or for another.
#include "report.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static int pipe_of_handler[2];
static volatile sig_atomic_t runs;

static void handler(int number) {
    int saved = errno;
    char byte = (char)number;
    struct pollfd p = {pipe_of_handler[1], POLLOUT, 0};
    ++runs;
    // All of these may be called in handlers, and would wait for the main program if they waited.
    if (poll(&p, 1, 0) == 1 && write(pipe_of_handler[1], &byte, 1) != 1)
        _exit(3);
    int fd = dup(pipe_of_handler[1]);
    if (fd < 0 || close(fd) != 0)
        _exit(4);
    errno = saved;
}

int main(void) {
    char byte;
    CHECK(pipe(pipe_of_handler) == 0);
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval every = {{0, 2000}, {0, 2000}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);

    // The handler's bytes end these waits, whether or not the signal does.
    int bytes = 0;
    for (int i = 0; i < 100; ++i) {
        struct pollfd p = {pipe_of_handler[0], POLLIN, 0};
        int n;
        if (i % 2 == 0) {
            do
                n = poll(&p, 1, -1);
            while (n < 0 && errno == EINTR);
            CHECK(n == 1);
        }
        do
            n = (int)read(pipe_of_handler[0], &byte, 1);
        while (n < 0 && errno == EINTR);
        CHECK(n == 1 && byte == SIGALRM);
        ++bytes;
    }
    every = (struct itimerval){{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    printf("%d bytes, enough runs: %d\n", bytes, runs >= bytes);
    return 0;
}
