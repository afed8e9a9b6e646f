// SPDX-License-Identifier: BSL-1.0
//
// DWARF 5, section 6.4 (call frame information), as the LSB has it in .eh_frame. Of it only what
// compilers emit for ordinary functions: expressions end the walk.
#include "sys/stack_walk.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <sys/uio.h>
#include <unistd.h>

struct dwarf_eh_bases {
    void* text;
    void* data;
    void* function;
};
/// libgcc's: the table entry for the function around an address, in any object that is loaded.
extern "C" const void* _Unwind_Find_FDE(void* address, dwarf_eh_bases* bases);

namespace tendril::sys {

namespace {

constexpr int stack_pointer = 7;
constexpr int return_address = 16;

class reader {
public:
    reader(const unsigned char* begin, const unsigned char* end) noexcept
        : at_(begin)
        , end_(end) {}

    bool at_end() const noexcept { return at_ >= end_; }
    const unsigned char* at() const noexcept { return at_; }
    void skip(std::size_t size) noexcept { at_ += size; }

    template <typename T>
    T get() noexcept {
        T value{};
        if (static_cast<std::size_t>(end_ - at_) >= sizeof value && !at_end()) {
            std::memcpy(&value, at_, sizeof value);
        }
        at_ += sizeof value;
        return value;
    }
    std::uint64_t uleb() noexcept {
        std::uint64_t value = 0;
        for (unsigned shift = 0; !at_end() && shift < 64; shift += 7) {
            const auto byte = get<unsigned char>();
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if ((byte & 0x80) == 0) {
                break;
            }
        }
        return value;
    }
    std::int64_t sleb() noexcept {
        std::uint64_t value = 0;
        unsigned shift = 0;
        unsigned char byte = 0x80;
        while (!at_end() && shift < 64 && (byte & 0x80) != 0) {
            byte = get<unsigned char>();
            value |= std::uint64_t{byte & 0x7fU} << shift;
            shift += 7;
        }
        if (shift < 64 && (byte & 0x40) != 0) {
            value |= ~std::uint64_t{0} << shift;
        }
        return static_cast<std::int64_t>(value);
    }

private:
    const unsigned char* at_;
    const unsigned char* end_;
};

std::size_t encoded_size(unsigned char encoding) noexcept {
    switch (encoding & 0x0f) {
    case 0x02: // udata2, sdata2
    case 0x0a:
        return 2;
    case 0x03:
    case 0x0b:
        return 4;
    default:
        return 8;
    }
}

/// A common information entry, and what its augmentation says.
struct cie {
    std::uint64_t code_factor = 1;
    std::int64_t data_factor = 1;
    unsigned char pointer_encoding = 0;
    bool has_augmentation = false;
    const unsigned char* begin = nullptr; ///< of its instructions
    const unsigned char* end = nullptr;
};

bool read_cie(const unsigned char* at, cie& c) noexcept {
    std::uint32_t size;
    std::memcpy(&size, at, sizeof size);
    c.end = at + 4 + size;
    reader in(at + 8, c.end);
    if (const auto version = in.get<unsigned char>(); version != 1 && version != 3) {
        return false;
    }
    const char* const augmentation = reinterpret_cast<const char*>(in.at());
    in.skip(std::strlen(augmentation) + 1);
    c.code_factor = in.uleb();
    c.data_factor = in.sleb();
    in.uleb(); // the return address's column
    if (augmentation[0] != 'z') {
        c.begin = in.at();
        return augmentation[0] == '\0';
    }
    c.has_augmentation = true;
    const std::uint64_t length = in.uleb();
    c.begin = in.at() + length;
    for (const char* letter = augmentation + 1; *letter != '\0'; ++letter) {
        if (*letter == 'R') {
            c.pointer_encoding = in.get<unsigned char>();
        } else if (*letter == 'L') {
            in.skip(1);
        } else if (*letter == 'P') {
            in.skip(encoded_size(in.get<unsigned char>()));
        } else {
            return false; // 'S': a signal's frame has more to it
        }
    }
    return true;
}

/// Where a frame's caller's registers are.
struct frame_rules {
    static constexpr int registers = 17;
    int base = stack_pointer;
    std::int64_t base_offset = 0;
    bool saved[registers] = {};
    std::int64_t offset[registers] = {};
};

class program {
public:
    program(const cie& c, std::uintptr_t function, std::uintptr_t pc) noexcept
        : cie_(c)
        , location_(function)
        , pc_(pc) {}

    bool run(const unsigned char* begin, const unsigned char* end) noexcept {
        reader in(begin, end);
        while (!in.at_end() && location_ <= pc_) {
            if (!step(in)) {
                return false;
            }
        }
        return true;
    }
    void keep_initial() noexcept { initial_ = rules_; }
    const frame_rules& rules() const noexcept { return rules_; }

private:
    bool step(reader& in) noexcept {
        const auto code = in.get<unsigned char>();
        const int low = code & 0x3f;
        switch (code >> 6) {
        case 1:
            advance(static_cast<std::uint64_t>(low));
            return true;
        case 2:
            save(low, static_cast<std::int64_t>(in.uleb()) * cie_.data_factor);
            return true;
        case 3:
            restore(low);
            return true;
        default:
            return extended(code, in);
        }
    }

    bool extended(unsigned char code, reader& in) noexcept {
        switch (code) {
        case 0x00: // DW_CFA_nop
            return true;
        case 0x02: // DW_CFA_advance_loc1, 2, 4
            advance(in.get<std::uint8_t>());
            return true;
        case 0x03:
            advance(in.get<std::uint16_t>());
            return true;
        case 0x04:
            advance(in.get<std::uint32_t>());
            return true;
        case 0x05: { // DW_CFA_offset_extended
            const auto which = static_cast<int>(in.uleb());
            save(which, static_cast<std::int64_t>(in.uleb()) * cie_.data_factor);
            return true;
        }
        case 0x06: // DW_CFA_restore_extended
            restore(static_cast<int>(in.uleb()));
            return true;
        case 0x07: // DW_CFA_undefined: of the return address, the outermost frame
            return in.uleb() != return_address;
        case 0x0a: // DW_CFA_remember_state, restore_state
            if (depth_ == max_depth) {
                return false;
            }
            remembered_[depth_++] = rules_;
            return true;
        case 0x0b:
            if (depth_ == 0) {
                return false;
            }
            rules_ = remembered_[--depth_];
            return true;
        case 0x0c: // DW_CFA_def_cfa, _register, _offset
            rules_.base = static_cast<int>(in.uleb());
            rules_.base_offset = static_cast<std::int64_t>(in.uleb());
            return true;
        case 0x0d:
            rules_.base = static_cast<int>(in.uleb());
            return true;
        case 0x0e:
            rules_.base_offset = static_cast<std::int64_t>(in.uleb());
            return true;
        case 0x2e: // DW_CFA_GNU_args_size
            in.uleb();
            return true;
        default: // expressions
            return false;
        }
    }

    void advance(std::uint64_t units) noexcept { location_ += units * cie_.code_factor; }
    void save(int which, std::int64_t offset) noexcept {
        if (which >= 0 && which < frame_rules::registers) {
            rules_.saved[which] = true;
            rules_.offset[which] = offset;
        }
    }
    void restore(int which) noexcept {
        if (which >= 0 && which < frame_rules::registers) {
            rules_.saved[which] = initial_.saved[which];
            rules_.offset[which] = initial_.offset[which];
        }
    }

    static constexpr int max_depth = 4;

    const cie& cie_;
    std::uintptr_t location_;
    std::uintptr_t pc_;
    frame_rules rules_;
    frame_rules initial_;
    frame_rules remembered_[max_depth];
    int depth_ = 0;
};

bool find_rules(std::uintptr_t pc, frame_rules& rules) noexcept {
    dwarf_eh_bases bases{};
    const auto* const fde =
        static_cast<const unsigned char*>(_Unwind_Find_FDE(reinterpret_cast<void*>(pc), &bases));
    if (fde == nullptr) {
        return false;
    }
    std::uint32_t size;
    std::int32_t to_cie;
    std::memcpy(&size, fde, sizeof size);
    std::memcpy(&to_cie, fde + 4, sizeof to_cie);
    cie c;
    if (!read_cie(fde + 4 - to_cie, c)) {
        return false;
    }
    reader in(fde + 8, fde + 4 + size);
    in.skip(2 * encoded_size(c.pointer_encoding));
    if (c.has_augmentation) {
        const std::uint64_t length = in.uleb();
        in.skip(length);
    }
    program all(c, reinterpret_cast<std::uintptr_t>(bases.function), pc);
    if (!all.run(c.begin, c.end)) {
        return false;
    }
    all.keep_initial();
    if (!all.run(in.at(), fde + 4 + size)) {
        return false;
    }
    rules = all.rules();
    return true;
}

} // namespace

bool copy_memory(void* to, const void* from, std::size_t size) noexcept {
    const iovec mine = {to, size};
    const iovec theirs = {const_cast<void*>(from), size};
    return ::process_vm_readv(::getpid(), &mine, 1, &theirs, 1, 0) == static_cast<ssize_t>(size);
}

void copy_text(char* to, std::size_t room, const char* from) noexcept {
    constexpr std::size_t at_once = 64; // up to such a boundary nothing is of another page
    std::size_t have = 0;
    while (from != nullptr && have + 1 < room) {
        const std::size_t size =
            std::min(at_once - reinterpret_cast<std::uintptr_t>(from) % at_once, room - 1 - have);
        if (!copy_memory(to + have, from, size)) {
            break;
        }
        const void* const end = std::memchr(to + have, 0, size);
        if (end != nullptr) {
            return;
        }
        have += size;
        from += size;
    }
    to[have] = 0;
}

stack_walk::stack_walk(std::uintptr_t pc, std::uintptr_t sp) noexcept
    : pc_(pc) {
    value_[stack_pointer] = sp;
    known_[stack_pointer] = true;
}

bool stack_walk::next() noexcept {
#ifndef __x86_64__
    return false;
#endif
    frame_rules rules;
    // A return address may lie behind the function's end: the call before it does not.
    if (!find_rules(is_first_ ? pc_ : pc_ - 1, rules) || rules.base < 0 ||
        rules.base >= registers || !known_[rules.base] || !rules.saved[return_address]) {
        return false;
    }
    const std::uintptr_t cfa = value_[rules.base] + static_cast<std::uintptr_t>(rules.base_offset);
    for (int i = 0; i < registers; ++i) {
        if (rules.saved[i]) {
            const auto at = cfa + static_cast<std::uintptr_t>(rules.offset[i]);
            known_[i] =
                copy_memory(&value_[i], reinterpret_cast<const void*>(at), sizeof value_[i]);
        }
    }
    // rax, rcx, rdx, rsi, rdi, r8 to r11: a call need not keep them.
    for (const int lost : {0, 1, 2, 4, 5, 8, 9, 10, 11}) {
        known_[lost] = false;
    }
    value_[stack_pointer] = cfa;
    known_[stack_pointer] = true;
    pc_ = value_[return_address];
    is_first_ = false;
    return known_[return_address] && pc_ != 0;
}

} // namespace tendril::sys
