// SPDX-License-Identifier: BSL-1.0
#include "hub/wait_reason.hpp"

#include <array>

namespace tendril::detail {

const char* to_string(wait_kind kind) noexcept {
    static constexpr std::array<const char*, wait_kinds> names = {
        "sleep", "join", "read", "write", "accept", "connect", "poll", "dns", "sync", "other"};
    return names[static_cast<std::size_t>(kind)];
}

} // namespace tendril::detail
