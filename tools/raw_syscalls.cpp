// SPDX-License-Identifier: BSL-1.0
#include "tools/raw_syscalls.hpp"

#include "tools/disassembler.hpp"

#include <algorithm>
#include <stdexcept>

namespace tendril::tools {

namespace {

bool enters_kernel(const cs_insn& i) {
    constexpr std::int64_t linux_vector = 0x80;
    return i.id == X86_INS_SYSCALL || i.id == X86_INS_SYSENTER ||
           (i.id == X86_INS_INT && i.detail->x86.op_count == 1 &&
            i.detail->x86.operands[0].imm == linux_vector);
}

bool looks_so(const unsigned char* bytes) {
    return (bytes[0] == 0x0f && (bytes[1] == 0x05 || bytes[1] == 0x34)) ||
           (bytes[0] == 0xcd && bytes[1] == 0x80);
}

/// What the instructions so far have put into eax, the number of the system call.
class number_watch {
public:
    void see(const cs_insn& i) {
        const cs_x86& x86 = i.detail->x86;
        const bool first_is_eax =
            x86.op_count > 0 && x86.operands[0].type == X86_OP_REG &&
            (x86.operands[0].reg == X86_REG_EAX || x86.operands[0].reg == X86_REG_RAX);
        if (i.id == X86_INS_CALL || i.id == X86_INS_JMP || i.id == X86_INS_RET ||
            enters_kernel(i)) {
            forget(); // how one comes to the next is not known
        } else if (first_is_eax && i.id != X86_INS_CMP && i.id != X86_INS_TEST) {
            const bool is_constant = (i.id == X86_INS_MOV || i.id == X86_INS_MOVABS) &&
                                     x86.operands[1].type == X86_OP_IMM;
            const bool is_zero = i.id == X86_INS_XOR && x86.op_count == 2 &&
                                 x86.operands[1].type == X86_OP_REG &&
                                 x86.operands[1].reg == x86.operands[0].reg;
            number_.reset();
            if (is_constant || is_zero) {
                number_ = is_zero ? 0 : static_cast<long>(x86.operands[1].imm);
            }
        }
    }
    void forget() { number_.reset(); }
    /// Linux has fewer.
    bool is_plausible() const noexcept { return number_ && *number_ >= 0 && *number_ < 1024; }
    const std::optional<long>& number() const noexcept { return number_; }

private:
    std::optional<long> number_;
};

class search {
public:
    search(const elf_file& file, const std::vector<elf_symbol>& symbols)
        : functions_(file, symbols) {}

    void look_at(const elf_code& code) {
        for (std::size_t i = 0; i + 1 < code.bytes.size();) {
            if (!looks_so(&code.bytes[i])) {
                ++i;
                continue;
            }
            const std::uint64_t address = code.address + i;
            const auto* const f = functions_.around(address);
            const code_range where =
                f != nullptr ? code_range{f->first, f->second.end} : functions_.gap_around(address);
            i = disassemble(code, where, f != nullptr ? &f->second.name : nullptr);
        }
    }
    std::vector<raw_syscall> found;

private:
    /// Returns the index behind it. `name` null: nothing says that it is a function, it may be a
    /// table (libcrypto's curves are in its code). There an instruction counts if a constant that
    /// can be the number of a system call is put into eax before.
    std::size_t disassemble(const elf_code& code, code_range range, const std::string* name) {
        const std::uint64_t begin = std::max(range.begin, code.address);
        const auto first = static_cast<std::size_t>(begin - code.address);
        const auto last = static_cast<std::size_t>(
            std::min<std::uint64_t>(range.end - code.address, code.bytes.size()));
        const unsigned char* bytes = code.bytes.data() + first;
        std::size_t size = last - first;
        std::uint64_t address = begin;
        number_watch watch;
        while (size != 0) {
            const cs_insn* const i = disassembler_.next(bytes, size, address);
            if (i == nullptr) { // newer than the disassembler, or data
                ++bytes, --size, ++address;
                watch.forget();
                continue;
            }
            if (enters_kernel(*i) && (name != nullptr || watch.is_plausible())) {
                found.push_back({name != nullptr ? *name : "", i->address, watch.number()});
            }
            watch.see(*i);
        }
        return last;
    }

    disassembler disassembler_;
    function_map functions_;
};

} // namespace

std::vector<raw_syscall> raw_syscalls(const elf_file& file,
                                      const std::vector<elf_symbol>& symbols) {
#ifndef __x86_64__
    throw std::runtime_error("raw system calls are looked for on x86-64 only");
#endif
    search all(file, symbols);
    for (const elf_code& code : file.code()) {
        all.look_at(code);
    }
    return all.found;
}

} // namespace tendril::tools
