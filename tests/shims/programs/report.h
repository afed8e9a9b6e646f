// SPDX-License-Identifier: BSL-1.0
// Prints what a call did, so that two runs can be compared line by line.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%s:%d: not true: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

// errno is set to something of its own first: a call that succeeds must leave it alone.
#define REPORT(call)                                                                               \
    do {                                                                                           \
        errno = ENOTTY;                                                                            \
        long result_ = (long)(call);                                                               \
        int error_ = errno;                                                                        \
        printf("%-70s %ld %s\n", #call, result_,                                                   \
               error_ == ENOTTY ? "-" : strerrorname_np(error_));                                  \
    } while (0)

// Keeps the compiler from knowing a size, as programs do not know theirs: then _FORTIFY_SOURCE has
// to check at run time, by calling the _chk functions.
static inline size_t unknown(size_t n) {
    volatile size_t v = n;
    return v;
}

static inline double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void* idle_thread_(void* unused) {
    for (;;) {
        pause();
    }
    return unused;
}

// While nothing else runs on a thread, and there is no other, calls may block it.
static inline void begin_idle_thread(void) {
    sigset_t all, before;
    pthread_t id;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(pthread_create(&id, NULL, idle_thread_, NULL) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
