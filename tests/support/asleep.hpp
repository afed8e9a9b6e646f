// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdio>
#include <string>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace tendril::test {

inline pid_t thread_id() {
    return static_cast<pid_t>(::syscall(SYS_gettid));
}

/// That thread is in the system call that hubs sleep in. Opens an fd for a moment.
inline bool sleeps_in_hub(pid_t thread) {
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
    std::FILE* const file = std::fopen(path.c_str(), "r");
    long number = -1;
    const bool is_in_kernel = file != nullptr && std::fscanf(file, "%ld", &number) == 1;
    if (file != nullptr) {
        std::fclose(file);
    }
#ifdef SYS_epoll_wait // machines that came later lack it
    if (is_in_kernel && number == SYS_epoll_wait) {
        return true;
    }
#endif
    return is_in_kernel && (number == SYS_epoll_pwait || number == SYS_epoll_pwait2);
}

} // namespace tendril::test
