// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <dirent.h>

namespace tendril_test {

/// How many fds the process has.
inline int open_fds() {
    int n = -1; // its own
    DIR* const all = ::opendir("/proc/self/fd");
    while (const dirent* const e = ::readdir(all)) {
        n += e->d_name[0] != '.' ? 1 : 0;
    }
    ::closedir(all);
    return n;
}

} // namespace tendril_test
