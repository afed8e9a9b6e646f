// SPDX-License-Identifier: BSL-1.0
// A library whose constructor, which runs before the shim's, and whose destructor call what the
// shim replaces.
#include "report.h"

#include <poll.h>
#include <unistd.h>

static void use(const char* when) {
    int p[2];
    char buffer[8];
    CHECK(pipe(p) == 0 && write(p[1], "early", 5) == 5);
    CHECK(poll(&(struct pollfd){p[0], POLLIN, 0}, unknown(1), -1) == 1);
    CHECK(read(p[0], buffer, unknown(8)) == 5 && close(p[0]) == 0 && close(p[1]) == 0);
    CHECK(usleep(1) == 0);
    printf("%s\n", when);
    fflush(stdout);
}

__attribute__((constructor)) static void begin(void) {
    use("constructor");
}
__attribute__((destructor)) static void end(void) {
    use("destructor");
}
