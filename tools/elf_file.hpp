// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

struct Elf;

namespace tendril::tools {

/// Why a file could not be read as ELF; what() begins with its path.
class bad_file : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct elf_symbol {
    std::string name;
    std::uint64_t address;
    std::uint64_t size;
    bool is_function; ///< or of a type that was not said
    bool is_defined;
    bool is_dynamic; ///< in the table that the loader reads, so others may bind to it
};

struct elf_code {
    std::uint64_t address;
    std::vector<unsigned char> bytes;
};

/// Where a function is, as unwind tables tell also of stripped files.
struct code_range {
    std::uint64_t begin;
    std::uint64_t end;
};

struct elf_dynamic {
    std::vector<std::string> needed;
    std::string soname;
    std::string rpath;
    std::string runpath;
    bool binds_symbolically = false; ///< DT_SYMBOLIC, DF_SYMBOLIC: to its own names first
    bool ignores_default_folders = false;
    bool is_program = false; ///< DF_1_PIE; false of most programs that lie at a fixed address
};

/// One ELF file, by libelf and by the program headers as the loader reads them. Nothing in it is
/// trusted: what cannot be read is left out, or throws bad_file.
class elf_file {
public:
    /// Opens it, and reads no more than headers. Throws bad_file.
    explicit elf_file(const std::string& path);
    ~elf_file();
    elf_file(const elf_file&) = delete;
    elf_file& operator=(const elf_file&) = delete;

    const std::string& path() const noexcept { return path_; }
    int fd() const noexcept { return fd_; }
    /// Of this machine and class: what our libraries can be loaded beside.
    bool is_of_this_machine() const noexcept { return is_of_this_machine_; }
    bool is_program_or_library() const noexcept { return is_linked_; }
    bool has_fixed_address() const noexcept { return has_fixed_address_; }
    bool has_interpreter() const noexcept { return has_interpreter_; }
    bool has_dynamic_section() const noexcept { return dynamic_size_ != 0; }

    elf_dynamic dynamic() const;
    bool has_sections() const;
    bool has_section(const char* name) const;
    std::vector<elf_symbol> symbols() const;
    /// Where the loader puts the address of a function that is imported.
    std::vector<std::uint64_t> slots_of(const std::string& name) const;
    std::vector<elf_code> code() const;
    std::vector<code_range> unwind_ranges() const;

private:
    void read_segments();
    std::vector<unsigned char> at_address(std::uint64_t address, std::uint64_t at_most) const;

    struct segment {
        std::uint64_t offset;
        std::uint64_t address;
        std::uint64_t size;
    };

    std::string path_;
    int fd_;
    Elf* elf_ = nullptr;
    bool is_of_this_machine_ = false;
    bool is_linked_ = false;
    bool has_fixed_address_ = false;
    bool has_interpreter_ = false;
    std::vector<segment> loaded_;
    std::uint64_t dynamic_offset_ = 0;
    std::uint64_t dynamic_size_ = 0;
    std::uint64_t unwind_address_ = 0;
    std::uint64_t unwind_size_ = 0;
};

} // namespace tendril::tools
