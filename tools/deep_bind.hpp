// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "tools/elf_file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace tendril::tools {

/// A function of the file that calls dlopen or dlmopen with RTLD_DEEPBIND, as far as constant flags
/// show it; nothing when none does.
std::optional<std::string> deep_binder(const elf_file& file,
                                       const std::vector<elf_symbol>& symbols);

} // namespace tendril::tools
