// SPDX-License-Identifier: BSL-1.0
#include <tendril/unix_address.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <sys/un.h>
#include <system_error>

namespace tendril {
inline namespace v1 {
namespace net {

namespace {

constexpr std::size_t before_path = offsetof(sockaddr_un, sun_path);
constexpr std::size_t most = sizeof(sockaddr_un::sun_path) - 1;

/// What follows the family: a path, perhaps with null bytes at its end, or a null byte and a name.
std::string_view name_of(const dns::address& raw) noexcept {
    if (raw.size() <= before_path || raw.data()->sa_family != AF_UNIX) {
        return {};
    }
    return {raw.data()->sa_data, raw.size() - before_path};
}

} // namespace

unix_address::unix_address(const std::string& text) {
    const bool is_abstract = !text.empty() && text[0] == '@';
    if (text.empty() || (!is_abstract && text.find('\0') != std::string::npos)) {
        throw std::invalid_argument(
            "unix address \"" + text.substr(0, text.find('\0')) +
            "\": " + (text.empty() ? "write a path, or @ and a name" : "a null byte follows"));
    }
    if (text.size() > most) {
        throw std::system_error(ENAMETOOLONG, std::system_category(),
                                "unix address \"" + text + "\" of " + std::to_string(text.size()) +
                                    " bytes, where " + std::to_string(most) + " are the most");
    }
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, text.data(), text.size());
    if (is_abstract) {
        at.sun_path[0] = '\0';
    }
    // An abstract name ends with the address, a path with a null byte.
    raw_ = {reinterpret_cast<const sockaddr*>(&at),
            static_cast<socklen_t>(before_path + text.size() + (is_abstract ? 0 : 1))};
}

bool unix_address::unnamed() const noexcept {
    return name_of(raw_).empty();
}

bool unix_address::abstract() const noexcept {
    const std::string_view name = name_of(raw_);
    return !name.empty() && name[0] == '\0';
}

std::string unix_address::path() const {
    const std::string_view name = name_of(raw_);
    return std::string(name.substr(0, name.find('\0')));
}

std::string unix_address::text() const {
    return abstract() ? '@' + std::string(name_of(raw_).substr(1)) : path();
}

} // namespace net
} // namespace v1
} // namespace tendril
