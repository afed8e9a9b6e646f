// SPDX-License-Identifier: BSL-1.0
// Every way to sleep: results, errors, and that none is too short.
#include "report.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/select.h>
#include <threads.h>
#include <unistd.h>

static double begun;
static void begin(void) {
    begun = seconds_now();
}
static void at_least(double seconds) {
    printf("long enough: %d\n", seconds_now() - begun >= seconds);
}

static struct timespec in(clockid_t clock, long milliseconds) {
    struct timespec t;
    clock_gettime(clock, &t);
    long n = t.tv_nsec + milliseconds * 1000000;
    t.tv_sec += n / 1000000000;
    t.tv_nsec = n % 1000000000;
    return t;
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    struct timespec ten = {0, 10000000}, left = {7, 7};
    const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}, {0, 2000000000}};

    begin();
    REPORT(sleep(0));
    REPORT(usleep(10000));
    at_least(0.010);
    begin();
    REPORT(nanosleep(&ten, &left));
    at_least(0.010);
    begin();
    REPORT(sleep(1));
    at_least(1.0);
    REPORT(nanosleep(&(struct timespec){0, 0}, NULL));
    begin();
    REPORT(thrd_sleep(&ten, &left));
    at_least(0.010);
    printf("left untouched: %ld %ld\n", (long)left.tv_sec, left.tv_nsec);

    const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    for (unsigned i = 0; i < sizeof clocks / sizeof clocks[0]; ++i) {
        begin();
        REPORT(clock_nanosleep(clocks[i], 0, &ten, &left));
        at_least(0.010);
        struct timespec until = in(clocks[i], 10);
        REPORT(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL));
        struct timespec now = in(clocks[i], 0);
        printf("not before: %d\n", now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec &&
                                                                 now.tv_nsec >= until.tv_nsec));
        until.tv_sec = 1;
        REPORT(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL));
        REPORT(clock_nanosleep(clocks[i], TIMER_ABSTIME, &bad[2], NULL));
    }
    REPORT(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ten, NULL));
    REPORT(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &ten, NULL));
    REPORT(clock_nanosleep(12345, 0, &ten, NULL));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        REPORT(nanosleep(&bad[i], &left));
        REPORT(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad[i], &left));
        REPORT(thrd_sleep(&bad[i], &left));
    }

    // A wait for nothing is a sleep as well.
    begin();
    REPORT(poll(NULL, 0, 10));
    at_least(0.010);
    begin();
    struct timeval t = {0, 10000};
    REPORT(select(0, NULL, NULL, NULL, &t));
    at_least(0.010);
    begin();
    REPORT(pselect(0, NULL, NULL, NULL, &ten, NULL));
    at_least(0.010);
    begin();
    REPORT(ppoll(NULL, 0, &ten, NULL));
    at_least(0.010);

    REPORT(sched_yield());
    thrd_yield();
    return 0;
}
