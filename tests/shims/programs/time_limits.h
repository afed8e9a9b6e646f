// SPDX-License-Identifier: BSL-1.0
// Limits on how long a socket's calls wait, and somebody who acts while this thread waits.
#pragma once

#include "asleep.h"
#include "report.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static char buffer[1 << 20];

static inline void limit(int fd, int option, long milliseconds) {
    struct timeval t = {milliseconds / 1000, milliseconds % 1000 * 1000};
    CHECK(setsockopt(fd, SOL_SOCKET, option, &t, sizeof t) == 0);
}

// The call, and that it took its time. Nothing is said of how much longer it took.
#define TIMED(milliseconds, call)                                                                  \
    do {                                                                                           \
        double before_ = seconds_now();                                                            \
        REPORT(call);                                                                              \
        printf("  waited %d\n", (seconds_now() - before_) * 1000 >= (milliseconds)-1);             \
    } while (0)

struct act {
    pid_t waiter;
    void (*what)(int fd);
    int fd;
    pthread_t thread;
};

static inline void* run_act(void* p) {
    struct act* a = p;
    until_asleep(getpid(), a->waiter);
    a->what(a->fd);
    return NULL;
}

static inline void meanwhile(struct act* a, void (*what)(int), int fd) {
    *a = (struct act){gettid(), what, fd, 0};
    CHECK(pthread_create(&a->thread, NULL, run_act, a) == 0);
}

static inline void done(struct act* a) {
    CHECK(pthread_join(a->thread, NULL) == 0);
}

static inline int listening(int family, struct sockaddr_storage* a, socklen_t* size) {
    int fd = socket(family, SOCK_STREAM, 0);
    memset(a, 0, sizeof *a);
    a->ss_family = (sa_family_t)family;
    if (family == AF_INET)
        ((struct sockaddr_in*)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(sa_family_t);
    CHECK(bind(fd, (struct sockaddr*)a, *size) == 0 && listen(fd, 0) == 0);
    *size = sizeof *a;
    CHECK(getsockname(fd, (struct sockaddr*)a, size) == 0);
    return fd;
}
