// SPDX-License-Identifier: BSL-1.0
#include "tools/disassembler.hpp"

#include <algorithm>
#include <dlfcn.h>
#include <stdexcept>
#include <type_traits>

#define TENDRIL_TEXT_(x) #x
#define TENDRIL_TEXT(x) TENDRIL_TEXT_(x)

namespace tendril::tools {

disassembler::disassembler() {
    constexpr char name[] = "libcapstone.so." TENDRIL_TEXT(CS_API_MAJOR);
    void* const library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        throw std::runtime_error(::dlerror());
    }
    const auto find = [&](auto& function, const char* symbol) {
        function =
            reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, symbol));
        if (function == nullptr) {
            throw std::runtime_error(std::string(name) + " has no " + symbol);
        }
    };
    find(open_, "cs_open");
    find(close_, "cs_close");
    find(option_, "cs_option");
    find(malloc_, "cs_malloc");
    find(free_, "cs_free");
    find(next_, "cs_disasm_iter");
    if (open_(CS_ARCH_X86, CS_MODE_64, &handle_) != CS_ERR_OK) {
        throw std::runtime_error(std::string(name) + " cannot disassemble for this machine");
    }
    option_(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    instruction_ = malloc_(handle_);
    if (instruction_ == nullptr) {
        close_(&handle_);
        throw std::bad_alloc();
    }
}

disassembler::~disassembler() {
    free_(instruction_, 1);
    close_(&handle_);
}

function_map::function_map(const elf_file& file, const std::vector<elf_symbol>& symbols) {
    for (const code_range& range : file.unwind_ranges()) {
        functions_.try_emplace(range.begin, function{range.end, {}});
    }
    for (const elf_symbol& s : symbols) {
        if (s.is_defined && s.is_function && s.size != 0) {
            function& f = functions_[s.address];
            f.end = std::max(f.end, s.address + s.size);
            if (f.name.empty() || s.name.size() < f.name.size()) {
                f.name = s.name;
            }
        }
    }
}

const std::pair<const std::uint64_t, function_map::function>*
function_map::around(std::uint64_t address) const {
    const auto after = functions_.upper_bound(address);
    if (after == functions_.begin()) {
        return nullptr;
    }
    const auto before = std::prev(after);
    return before->second.end > address ? &*before : nullptr;
}

code_range function_map::gap_around(std::uint64_t address) const {
    const auto after = functions_.upper_bound(address);
    return {after != functions_.begin() ? std::prev(after)->second.end : 0,
            after != functions_.end() ? after->first : ~std::uint64_t{0}};
}

} // namespace tendril::tools
