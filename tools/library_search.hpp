// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "tools/elf_file.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tendril::tools {

/// A program or library, and what the loader needs of it.
struct loaded_object {
    std::unique_ptr<elf_file> file;
    elf_dynamic dynamic;
    std::string name;                         ///< that others need it by
    const loaded_object* needed_by = nullptr; ///< first; null: the program
};

struct missing_library {
    std::string name;
    std::string needed_by;
};

/// What ld.so(8) would load for a program, found by reading files: asking ld.so itself (ldd) can
/// run code of the program. LD_LIBRARY_PATH counts; LD_PRELOAD, LD_AUDIT and the folders for
/// certain processors (glibc-hwcaps) do not.
class load_order {
public:
    /// Takes the program; reads its libraries, theirs…, in the order in which names are looked up.
    explicit load_order(std::unique_ptr<elf_file> program);

    const std::vector<std::unique_ptr<loaded_object>>& objects() const noexcept { return objects_; }
    const std::vector<missing_library>& missing() const noexcept { return missing_; }

private:
    void add(const std::string& name, const loaded_object& by);
    std::unique_ptr<elf_file> find(const std::string& name, const loaded_object& by);
    std::unique_ptr<elf_file> find_in(const std::string& folders, const loaded_object& origin,
                                      const std::string& name) const;
    const std::map<std::string, std::vector<std::string>>& cache();

    std::vector<std::unique_ptr<loaded_object>> objects_;
    std::vector<missing_library> missing_;
    std::map<std::string, std::vector<std::string>> cache_;
    bool has_cache_ = false;
};

} // namespace tendril::tools
