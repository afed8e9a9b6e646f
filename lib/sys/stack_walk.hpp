// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace tendril::sys {

/// Copies memory of this process which may go away, or change, meanwhile. False: some of it is not
/// there.
bool copy_memory(void* to, const void* from, std::size_t size) noexcept;

/// The same of a text, as much of it as is there and fits, with a 0 at its end. Null: an empty one.
void copy_text(char* to, std::size_t room, const char* from) noexcept;

/// The frames of another thread that stands still, outermost last, by the unwind tables (.eh_frame)
/// of the code: from the two registers that are known of a thread in a system call. Ends early
/// where a frame needs a register that no inner one has saved, and at what has no tables.
class stack_walk {
public:
    stack_walk(std::uintptr_t pc, std::uintptr_t sp) noexcept;

    std::uintptr_t pc() const noexcept { return pc_; }
    /// To the caller, whose pc() is then a return address. False: there is no more to know.
    bool next() noexcept;

private:
    static constexpr int registers = 17; ///< the psABI's numbers: 7 is rsp, 16 the return address

    std::uintptr_t pc_;
    bool is_first_ = true;
    std::uintptr_t value_[registers] = {};
    bool known_[registers] = {};
};

} // namespace tendril::sys
