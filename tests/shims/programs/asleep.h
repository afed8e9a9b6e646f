// SPDX-License-Identifier: BSL-1.0
// What another does as soon as somebody waits.
#pragma once

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

// Until the thread sleeps in the kernel, or is gone.
static inline void until_asleep(pid_t process, pid_t thread) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)process, (int)thread);
    for (;;) {
        FILE* f = fopen(path, "r");
        size_t n = f != NULL ? fread(line, 1, sizeof line - 1, f) : 0;
        line[n] = 0;
        if (f != NULL)
            fclose(f);
        const char* state = strrchr(line, ')');
        if (state == NULL || state[2] == 'S')
            return;
    }
}

// For the child of a process with one thread that matters.
static inline void until_parent_asleep(void) {
    until_asleep(getppid(), getppid());
}
