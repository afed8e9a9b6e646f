// SPDX-License-Identifier: BSL-1.0
// The child of a vfork closes and replaces fds that its parent goes on using.
#include "report.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int s[2], t[2];
    char buffer[16];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(t) == 0);
    // Known to the hub before the child touches them.
    struct timeval limit = {0, 10000};
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    REPORT(recv(s[0], buffer, sizeof buffer, 0));
    REPORT(poll(&(struct pollfd){t[0], POLLIN, 0}, 1, 5));

    for (int i = 0; i < 3; ++i) {
        pid_t child = vfork();
        if (child == 0) {
            dup2(t[1], s[0]);
            dup2(t[1], 1);
            write(1, "child", 5);
            close(s[0]);
            close(t[0]);
            close_range(3, ~0U, 0);
            execl("/bin/echo", "echo", "", (char*)NULL);
            _exit(9);
        }
        int status = -1;
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        REPORT(status);
        REPORT(read(t[0], buffer, unknown(6))); // "child\n"
        REPORT(send(s[1], "x", 1, 0));
        REPORT(recv(s[0], buffer, unknown(1), 0));
        REPORT(recv(s[0], buffer, unknown(1), 0));
        REPORT(poll(&(struct pollfd){t[0], POLLIN, 0}, 1, 5));
    }
    return 0;
}
