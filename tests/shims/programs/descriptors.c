// SPDX-License-Identifier: BSL-1.0
// Closes all fds, in each of the ways that daemons do, and goes on waiting.
#include "report.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void wait_a_little(void) {
    int s[2];
    char byte;
    struct timeval limit = {0, 5000};
    REPORT(usleep(1000));
    REPORT(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    // The numbers that any program gets.
    printf("fds %d %d\n", s[0], s[1]);
    REPORT(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    REPORT(recv(s[0], &byte, unknown(1), 0));
    REPORT(poll(&(struct pollfd){s[0], POLLIN, 0}, unknown(1), 5));
    REPORT(write(s[1], "x", 1));
    REPORT(read(s[0], &byte, unknown(1)));
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    wait_a_little();
    int closed = 0;
    for (int fd = 3; fd < 1024; ++fd)
        closed += close(fd) == 0;
    printf("closed %d\n", closed);
    wait_a_little();
    REPORT(close_range(3, ~0U, 0));
    wait_a_little();
    closefrom(3);
    wait_a_little();
    REPORT(close_range(3, 701, 0));
    REPORT(close_range(699, 700, 0));
    wait_a_little();
    return 0;
}
