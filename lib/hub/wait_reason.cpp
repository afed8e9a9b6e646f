// SPDX-License-Identifier: BSL-1.0
#include "hub/wait_reason.hpp"

#include <array>
#include <cstdio>

namespace tendril::detail {

const char* to_string(wait_kind kind) noexcept {
    static constexpr std::array<const char*, wait_kinds> names = {
        "sleep", "join", "read", "write", "accept", "connect", "poll", "dns", "sync", "other"};
    return names[static_cast<std::size_t>(kind)];
}

namespace {

bool is_of_fd(wait_kind kind) noexcept {
    return kind >= wait_kind::read && kind <= wait_kind::poll;
}

} // namespace

std::string to_string(const wait_reason& why) {
    std::string text = why.what;
    if (why.arg >= 0) {
        text += is_of_fd(why.kind) ? " fd " : "";
        text += std::to_string(why.arg);
    }
    if (why.object != nullptr) {
        std::array<char, 24> address{};
        std::snprintf(address.data(), address.size(), " %p", why.object);
        text += address.data();
    }
    return text;
}

} // namespace tendril::detail
