// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "tools/call_names.hpp"
#include "tools/library_search.hpp"
#include "tools/raw_syscalls.hpp"

#include <string>
#include <vector>

namespace tendril::tools {

/// What lets calls past the shim, or what cannot be known of it.
struct finding {
    const char* code; ///< a word for programs to read
    std::string text; ///< what follows the name of the file
    bool bypasses;    ///< else it is only to be known
};

struct blocking_import {
    std::string name;
    call_name call;
};

struct object_report {
    std::string path;
    std::string name; ///< that others need it by; empty of the program
    std::vector<blocking_import> imports;
    std::vector<raw_syscall> raw;
    std::vector<finding> findings;
};

struct audit_report {
    std::string program;
    std::string script; ///< whose interpreter that is; empty: it is no script
    bool is_linked_with_shim = false;
    std::vector<object_report> objects;
    std::vector<std::string> libc; ///< libc's own files, which are below the shim
    std::vector<missing_library> missing;

    /// Something may block a thread past the shim, and neither briefly nor for other threads.
    bool has_bypass() const;
};

/// Reads the program, or library, and all that it needs; runs none of it. Throws bad_file when it
/// is none, std::runtime_error when code cannot be disassembled here.
audit_report audit(const std::string& path);

/// For people, and as one JSON object.
void print_text(const audit_report& report);
void print_json(const audit_report& report);

} // namespace tendril::tools
