// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "tools/elf_file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tendril::tools {

struct raw_syscall {
    std::string function; ///< that it is in; empty if unknown
    std::uint64_t address;
    std::optional<long> number; ///< of the system call, where the code before it says so
};

/// The instructions in a file's code that enter the kernel. Bytes that only look like one, in
/// data or in the middle of another instruction, do not count: each is reached by disassembling
/// from the beginning of the function around it. Throws std::runtime_error when it cannot look:
/// no disassembler is installed, or this is not x86-64.
std::vector<raw_syscall> raw_syscalls(const elf_file& file, const std::vector<elf_symbol>& symbols);

} // namespace tendril::tools
