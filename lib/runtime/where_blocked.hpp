// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

namespace tendril::detail {

/// What a thread of this process does that has not come back to its hub.
struct where_blocked {
    enum state {
        on_cpu,    ///< or waits for one
        in_kernel, ///< in a call of the program's: `site` and `text` say where
        in_library ///< in a call of ours: where nothing else runs, some may block
    } what = on_cpu;
    const void* site = nullptr; ///< the same for the same call, as far as it is known
    std::string text{};
};

/// Of the thread whose /proc/…/syscall that is (proc_pid_syscall(5)). Not to be called by the
/// thread itself. Throws std::bad_alloc.
where_blocked find_where_blocked(int state_fd);

/// "serve (server+0x1a2b)": names only what the file exports, and opens none.
std::string describe_code(const void* return_address);

/// The kernel lets this process copy its own memory as another's, starting with that byte.
bool can_see_threads(const char* probe) noexcept;

} // namespace tendril::detail
