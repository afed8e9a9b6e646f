// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

namespace tendril::tools {

/// What env(1) would run.
struct env_command {
    std::string program; ///< empty: nothing
    std::string path;    ///< where it would look for that, as in PATH
};

/// Of "-S VAR=1 python3 -u", what stands after env in a script's first line. Words are split
/// whether or not -S asks for it: the kernel makes one argument of them, with which env without -S
/// runs nothing at all. As coreutils has it.
env_command read_env_command(const std::string& arguments);

} // namespace tendril::tools
