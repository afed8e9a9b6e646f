// SPDX-License-Identifier: BSL-1.0
// connect and accept over TCP and AF_UNIX, with a child as the peer.
#include "report.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void client(const struct sockaddr_in* to) {
    char buffer[8];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int good = connect(fd, (const struct sockaddr*)to, sizeof *to) == 0 &&
               write(fd, "ping", 4) == 4 && read(fd, buffer, unknown(sizeof buffer)) == 4 &&
               memcmp(buffer, "pong", 4) == 0 && read(fd, buffer, unknown(sizeof buffer)) == 0;
    _exit(good ? 0 : 1);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_storage peer;
    socklen_t size = sizeof address;
    char buffer[8];

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REPORT(bind(listener, (struct sockaddr*)&address, sizeof address));
    REPORT(accept(listener, NULL, NULL));
    REPORT(listen(listener, 5));
    REPORT(getsockname(listener, (struct sockaddr*)&address, &size));
    REPORT(accept4(listener, NULL, NULL, 12345));

    // Nobody comes.
    struct timeval limit = {0, 20000};
    REPORT(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    double before = seconds_now();
    REPORT(accept(listener, NULL, NULL));
    printf("waited %d\n", seconds_now() - before >= 0.019);
    limit.tv_usec = 0;
    REPORT(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    REPORT(fcntl(listener, F_SETFL, O_NONBLOCK));
    REPORT(accept(listener, NULL, NULL));
    REPORT(fcntl(listener, F_SETFL, 0));

    for (int i = 0; i < 2; ++i) {
        pid_t child = fork();
        if (child == 0)
            client(&address);
        size = sizeof peer;
        int fd = i == 0 ? accept(listener, (struct sockaddr*)&peer, &size)
                        : accept4(listener, (struct sockaddr*)&peer, &size,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC);
        CHECK(fd >= 0);
        printf("accepted: family %d, size %d, O_NONBLOCK %d, FD_CLOEXEC %d\n", peer.ss_family,
               (int)size, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, fcntl(fd, F_GETFD));
        if (i == 1)
            REPORT(fcntl(fd, F_SETFL, 0));
        REPORT(read(fd, buffer, unknown(4)));
        REPORT(write(fd, "pong", 4));
        REPORT(close(fd));
        int status = -1;
        REPORT(waitpid(child, &status, 0) == child);
        REPORT(status);
    }

    // In this process: the backlog accepts without us.
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    REPORT(connect(fd, (struct sockaddr*)&address, sizeof address));
    REPORT(connect(fd, (struct sockaddr*)&address, sizeof address));
    REPORT(fcntl(fd, F_GETFL) & O_NONBLOCK);
    REPORT(close(fd));
    REPORT(close(listener));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    REPORT(connect(fd, (struct sockaddr*)&address, sizeof address)); // refused
    REPORT(connect(fd, (struct sockaddr*)&address, 3));
    REPORT(close(fd));
    REPORT(connect(fd, (struct sockaddr*)&address, sizeof address));
    REPORT(accept(fd, NULL, NULL));
    return 0;
}
