// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <netinet/in.h>
#include <optional>
#include <resolv.h>
#include <string>

namespace tendril::detail::shim {

/// How a program wants libc's resolver(3) to ask: what may be set in a `res_state`, owned, so that
/// another thread can ask in the same way. A res_state itself cannot be lent: it also holds what
/// the question under way needs.
class resolver_state {
public:
    /// Of `state`, brought up to date as each question of libc's does. Throws std::bad_alloc.
    explicit resolver_state(res_state state);

    /// To a state that res_ninit() has just made, and that does not outlive this. What is as in
    /// resolv.conf is left alone: libc knows more of that than a res_state holds. False: no memory.
    bool give_to(struct __res_state& other) const noexcept;

private:
    bool initialised_ = false;
    unsigned long options_ = 0;
    int retrans_ = 0;
    int retry_ = 0;
    unsigned ndots_ = 0;
    int servers_ = 0;
    std::array<sockaddr_in, MAXNS> old_form_{};
    std::array<std::optional<sockaddr_in6>, MAXNS> addresses_;
    std::array<std::optional<std::string>, MAXDNSRCH + 1> search_;
    std::array<char, sizeof(static_cast<res_state>(nullptr)->defdname)> domain_{};
};

} // namespace tendril::detail::shim
