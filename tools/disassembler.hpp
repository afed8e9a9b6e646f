// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "tools/elf_file.hpp"

#include <capstone/capstone.h>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tendril::tools {

/// Loaded when it is needed: its relocations take a millisecond, which `tendril run` should not.
class disassembler {
public:
    /// Throws std::runtime_error.
    disassembler();
    ~disassembler();
    disassembler(const disassembler&) = delete;
    disassembler& operator=(const disassembler&) = delete;

    /// The instruction at the beginning of these bytes, which are then moved past it; null if
    /// there is none.
    const cs_insn* next(const unsigned char*& bytes, std::size_t& size, std::uint64_t& address) {
        return next_(handle_, &bytes, &size, &address, instruction_) ? instruction_ : nullptr;
    }

private:
    decltype(&cs_open) open_ = nullptr;
    decltype(&cs_close) close_ = nullptr;
    decltype(&cs_option) option_ = nullptr;
    decltype(&cs_malloc) malloc_ = nullptr;
    decltype(&cs_free) free_ = nullptr;
    decltype(&cs_disasm_iter) next_ = nullptr;
    csh handle_ = 0;
    cs_insn* instruction_ = nullptr;
};

/// A file's functions by where they begin: with names from the symbol tables, and from the unwind
/// table those that are not named.
class function_map {
public:
    struct function {
        std::uint64_t end;
        std::string name;
    };

    function_map(const elf_file& file, const std::vector<elf_symbol>& symbols);

    /// The one around the address; null if there is none.
    const std::pair<const std::uint64_t, function>* around(std::uint64_t address) const;
    /// What lies between the functions before and after an address that is in none.
    code_range gap_around(std::uint64_t address) const;

private:
    std::map<std::uint64_t, function> functions_;
};

} // namespace tendril::tools
