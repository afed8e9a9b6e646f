// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/dns.hpp>
#include <tendril/export.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace tendril {
inline namespace v1 {
namespace net {

/// Where to connect to or to listen: a host, which may be a name or an address, and a service,
/// which may be a name of services(5) or a port. Kept as text; resolved when it is used.
class TENDRIL_EXPORT endpoint {
public:
    endpoint() = default;

    /// "127.0.0.1:80", "[::1]:80", "example.org:https", ":8080" (every address of this machine).
    /// @throws std::invalid_argument no host and port in this form; the message says what is wrong.
    endpoint(const std::string& text);
    endpoint(const char* text)
        : endpoint(std::string(text)) {}

    endpoint(std::string host, std::string service)
        : host_(std::move(host))
        , service_(std::move(service)) {}
    endpoint(const dns::address& address);

    const std::string& host() const noexcept { return host_; } ///< without brackets
    const std::string& service() const noexcept { return service_; }
    std::uint16_t port() const noexcept; ///< 0 if the service is a name
    std::string text() const;            ///< the form that the constructor takes

    friend bool operator==(const endpoint& a, const endpoint& b) noexcept {
        return a.host_ == b.host_ && a.service_ == b.service_;
    }
    friend bool operator!=(const endpoint& a, const endpoint& b) noexcept { return !(a == b); }

private:
    std::string host_;
    std::string service_;
};

} // namespace net
} // namespace v1
} // namespace tendril
