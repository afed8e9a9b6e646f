// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

namespace tendril::tools {

enum class fate {
    shimmed,   ///< waits in the hub
    offloaded, ///< a worker thread does it, and the fiber waits
    brief,     ///< blocks the thread, as a file or a line on a terminal does
    threads,   ///< blocks the thread until another one does something
    bypassing  ///< blocks the thread
};

/// What becomes of the calls of one libc function that may block: symbols.def and blocking.def.
struct call_name {
    fate becomes;
    const char* family; ///< of the shim, or the group of what is not in it
    const char* about;  ///< its limits, or why it blocks
};

/// Null if no call of that name blocks.
const call_name* find_call(const std::string& name);

const char* to_string(fate f) noexcept;

} // namespace tendril::tools
