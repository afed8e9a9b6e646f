// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/dns.hpp>
#include <tendril/export.hpp>

#include <string>
#include <sys/socket.h>

namespace tendril {
inline namespace v1 {
namespace net {

/// The address of a Unix socket, see unix(7): a path in the file system, an abstract name, which
/// lives in the network namespace and vanishes with its socket, or none. A plain value.
class TENDRIL_EXPORT unix_address {
public:
    unix_address() noexcept = default; ///< none

    /// "/run/service.sock" is a path, "@service" an abstract name; a path that begins with @ is
    /// written "./@…".
    /// @throws std::invalid_argument empty, or a path with a null byte in it.
    /// @throws std::system_error ENAMETOOLONG: 107 bytes are the most.
    unix_address(const std::string& text);
    unix_address(const char* text)
        : unix_address(std::string(text)) {}

    /// What the kernel gives.
    explicit unix_address(const dns::address& raw) noexcept
        : raw_(raw) {}

    bool unnamed() const noexcept;  ///< none
    bool abstract() const noexcept; ///< an abstract name
    std::string text() const;       ///< the form that the constructor takes; empty: none
    std::string path() const;       ///< in the file system; empty: none

    const sockaddr* data() const noexcept { return raw_.data(); }
    socklen_t size() const noexcept { return raw_.size(); }
    const dns::address& raw() const noexcept { return raw_; }

    friend bool operator==(const unix_address& a, const unix_address& b) {
        return a.text() == b.text();
    }
    friend bool operator!=(const unix_address& a, const unix_address& b) { return !(a == b); }

private:
    dns::address raw_;
};

} // namespace net
} // namespace v1
} // namespace tendril
