// SPDX-License-Identifier: BSL-1.0
// Overflows a buffer in a way that only _FORTIFY_SOURCE notices.
#include "report.h"

#include <unistd.h>

int main(void) {
    char few[4];
    int p[2];
    CHECK(pipe(p) == 0 && write(p[1], "overflow", 8) == 8);
    long n = read(p[0], few, unknown(8));
    printf("read %ld\n", n);
    return 0;
}
