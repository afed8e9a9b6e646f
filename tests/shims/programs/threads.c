// SPDX-License-Identifier: BSL-1.0
// Six more threads at once, then two, and then one after the other; both ways of making them.
#include "report.h"

#include <pthread.h>
#include <threads.h>
#include <unistd.h>

static pthread_barrier_t barrier;

static void* wait_for_others(void* result) {
    pthread_barrier_wait(&barrier);
    return result;
}
static int wait_for_others_too(void* result) {
    pthread_barrier_wait(&barrier);
    return (int)(long)result;
}
static void* leave(void* result) {
    pthread_exit(result);
}

int main(void) {
    pthread_t p[4];
    thrd_t t[4];
    void* result;
    int number;
    for (int pairs = 3; pairs >= 1; pairs -= 2) {
        CHECK(pthread_barrier_init(&barrier, NULL, 2 * (unsigned)pairs + 1) == 0);
        for (int i = 0; i < pairs; ++i) {
            CHECK(pthread_create(&p[i], NULL, wait_for_others, (void*)7L) == 0);
            CHECK(thrd_create(&t[i], wait_for_others_too, (void*)8L) == thrd_success);
        }
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < pairs; ++i) {
            CHECK(pthread_join(p[i], &result) == 0 && (long)result == 7);
            CHECK(thrd_join(t[i], &number) == thrd_success && number == 8);
        }
    }
    for (int i = 0; i < 20; ++i) {
        CHECK(pthread_create(&p[0], NULL, leave, (void*)9L) == 0);
        CHECK(pthread_join(p[0], &result) == 0 && (long)result == 9);
    }
    printf("done\n");
    return 0;
}
