// SPDX-License-Identifier: BSL-1.0
#include "tools/deep_bind.hpp"

#include "tools/disassembler.hpp"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <set>

namespace tendril::tools {

namespace {

// A file made to be hostile must not keep us for long.
constexpr std::uint64_t bytes_at_most = 64 * 1024; ///< before a call, in its function
constexpr int calls_at_most = 256;

/// Where a four-byte displacement at that place leads.
std::uint64_t target(const elf_code& code, std::size_t displacement) {
    std::int32_t relative;
    std::memcpy(&relative, &code.bytes[displacement], sizeof relative);
    return code.address + displacement + sizeof relative +
           static_cast<std::uint64_t>(std::int64_t{relative});
}

/// The jumps through a slot (jmp *slot(%rip)), and where a stub that holds one may begin.
std::set<std::uint64_t> stubs_of(const std::vector<elf_code>& all,
                                 const std::set<std::uint64_t>& slots) {
    std::set<std::uint64_t> stubs;
    for (const elf_code& code : all) {
        for (std::size_t i = 0; i + 6 <= code.bytes.size(); ++i) {
            if (code.bytes[i] == 0xff && code.bytes[i + 1] == 0x25 &&
                slots.count(target(code, i + 2)) != 0) {
                const std::uint64_t jump = code.address + i;
                stubs.insert({jump, jump - 1, jump - 4, jump - 5}); // bnd, endbr64, both
            }
        }
    }
    return stubs;
}

/// The second argument of a call, where the code before it in its function says so.
bool is_deep(disassembler& d, const elf_code& code, std::uint64_t begin, std::uint64_t call,
             x86_reg flags_in) {
    const unsigned char* bytes = code.bytes.data() + (begin - code.address);
    std::size_t size = call - begin;
    std::uint64_t address = begin;
    std::int64_t flags = 0;
    while (size != 0) {
        const cs_insn* const i = d.next(bytes, size, address);
        if (i == nullptr) {
            ++bytes, --size, ++address;
            continue;
        }
        const cs_x86& x86 = i->detail->x86;
        if (x86.op_count == 2 && x86.operands[0].type == X86_OP_REG &&
            x86.operands[0].reg == flags_in) {
            const bool is_constant = i->id == X86_INS_MOV && x86.operands[1].type == X86_OP_IMM;
            flags = is_constant ? x86.operands[1].imm : 0;
        }
    }
    return (flags & RTLD_DEEPBIND) != 0;
}

std::optional<std::string> caller(const elf_file& file, const function_map& functions,
                                  const std::vector<elf_code>& all, const char* name,
                                  x86_reg flags_in) {
    const std::vector<std::uint64_t> found = file.slots_of(name);
    const std::set<std::uint64_t> slots(found.begin(), found.end());
    if (slots.empty()) {
        return std::nullopt;
    }
    const std::set<std::uint64_t> stubs = stubs_of(all, slots);
    disassembler d;
    int looked_at = 0;
    for (const elf_code& code : all) {
        for (std::size_t i = 0; i + 5 <= code.bytes.size(); ++i) {
            const unsigned char byte = code.bytes[i];
            const bool calls =
                ((byte == 0xe8 || byte == 0xe9) && stubs.count(target(code, i + 1)) != 0) ||
                (byte == 0xff && i + 6 <= code.bytes.size() &&
                 (code.bytes[i + 1] == 0x15 || code.bytes[i + 1] == 0x25) &&
                 slots.count(target(code, i + 2)) != 0);
            const auto* const f = calls ? functions.around(code.address + i) : nullptr;
            if (f != nullptr && f->first >= code.address &&
                code.address + i - f->first < bytes_at_most && ++looked_at <= calls_at_most &&
                is_deep(d, code, f->first, code.address + i, flags_in)) {
                return f->second.name.empty() ? "code without a name" : f->second.name;
            }
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> deep_binder(const elf_file& file,
                                       const std::vector<elf_symbol>& symbols) {
    const auto imports = [&](const char* name) {
        return std::any_of(symbols.begin(), symbols.end(), [&](const elf_symbol& s) {
            return s.is_dynamic && !s.is_defined && s.name == name;
        });
    };
    if (!imports("dlopen") && !imports("dlmopen")) {
        return std::nullopt;
    }
    const function_map functions(file, symbols);
    const std::vector<elf_code> code = file.code();
    if (auto found = caller(file, functions, code, "dlopen", X86_REG_ESI)) {
        return found;
    }
    return caller(file, functions, code, "dlmopen", X86_REG_EDX);
}

} // namespace tendril::tools
