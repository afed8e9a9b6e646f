// SPDX-License-Identifier: BSL-1.0
// Two threads that block, one after the other's end.
#include "report.h"

#include <pthread.h>
#include <unistd.h>

static void* nap(void* unused) {
    CHECK(usleep(1000) == 0);
    return unused;
}

int main(void) {
    pthread_t thread;
    CHECK(usleep(1000) == 0);
    for (int i = 0; i < 2; ++i) {
        CHECK(pthread_create(&thread, NULL, nap, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    printf("done\n");
    return 0;
}
