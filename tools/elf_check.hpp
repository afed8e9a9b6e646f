// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

namespace tendril::tools {

struct verdict {
    int status = 0;     ///< 0: can be run; else what `tendril run` exits with
    std::string reason; ///< why not
};

/// The file that execvp(3) would run: `program` itself if it has a slash, else the first executable
/// of that name on PATH. Status 126 and 127 as env(1): found but not executable, not found.
verdict find_program(const std::string& program, std::string& path);
/// The same on another PATH.
verdict find_program(const std::string& program, std::string& path, const std::string& places);

/// Whether the dynamic loader will load a preloaded library into `path`. Status 2 if it will not:
/// statically linked, for another machine, or privileged (setuid, setgid, file capabilities: the
/// loader then ignores LD_PRELOAD). Of a script, its interpreter is judged.
verdict can_interpose(const std::string& path);

/// What runs a script in the end; "" if the file is none. Of env(1), the program that it is to run,
/// found or not.
std::string script_interpreter(const std::string& path);

} // namespace tendril::tools
