// SPDX-License-Identifier: BSL-1.0
// Loads the library named by its argument when it is too late to interpose anything.
#include "report.h"

#include <dlfcn.h>
#include <unistd.h>

int main(int argc, char** argv) {
    CHECK(argc == 2);
    void* library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        printf("%s\n", dlerror());
        return 1;
    }
    CHECK(usleep(1000) == 0);
    printf("went on\n");
    return dlclose(library);
}
