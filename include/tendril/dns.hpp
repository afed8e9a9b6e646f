// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include <sys/socket.h>

namespace tendril {
inline namespace v1 {

/// Names to addresses and back, as the calling fiber sees getaddrinfo(3) and getnameinfo(3): it
/// parks while name servers are asked, and other fibers run. What the system's files say counts
/// (hosts, resolv.conf, nsswitch.conf, services) and is read again when it changes. On a thread
/// without a hub the thread gets one, and waits as its main fiber.
///
/// TENDRIL_RESOLVER chooses who asks: `ares` (the default) this library, with c-ares; `thread` libc
/// on a worker thread; `block` libc on the calling thread. TENDRIL_NAMESERVERS
/// ("127.0.0.1:5353,[::1]") replaces the name servers of resolv.conf.
namespace dns {

/// AF_UNSPEC, AF_INET, AF_INET6.
enum class family { any, ipv4, ipv6 };

/// SOCK_STREAM, SOCK_DGRAM.
enum class transport { tcp, udp };

/// When to give up, absolute; no_deadline: never.
using deadline = std::chrono::steady_clock::time_point;
inline constexpr deadline no_deadline = deadline::max(); ///< wait as long as it takes

/// How to look a name up. Every member has a default.
struct options {
    dns::family family = family::any;
    dns::transport transport = transport::tcp; ///< whose service names count
    bool numeric = false;                      ///< only addresses in text form; nothing is asked
    bool passive = false;   ///< an empty host is the address to listen on, not the loopback
    bool configured = true; ///< no addresses of a family that this machine has none of
    bool canonical = false; ///< ask for the canonical name, too

    /// When to give up. In the past: what is known at once.
    dns::deadline deadline = no_deadline;
};

/// An address and port, as sockets take it. A plain value.
class TENDRIL_EXPORT address {
public:
    address() noexcept = default;

    /// Copies; keeps what fits into a sockaddr_storage.
    address(const sockaddr* data, socklen_t size) noexcept;

    dns::family family() const noexcept; ///< `any` for what is neither IPv4 nor IPv6
    std::uint16_t port() const noexcept; ///< host byte order
    std::string host() const;            ///< "192.0.2.1", "2001:db8::1", "fe80::1%eth0"
    std::string text() const;            ///< "192.0.2.1:80", "[2001:db8::1]:80"

    const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t size() const noexcept { return size_; }

    friend TENDRIL_EXPORT bool operator==(const address& a, const address& b) noexcept;
    friend bool operator!=(const address& a, const address& b) noexcept { return !(a == b); }

private:
    sockaddr_storage storage_ = {};
    socklen_t size_ = 0;
};

/// What a name stands for: its addresses, best first (RFC 6724).
struct result {
    std::vector<address> addresses; ///< never empty
    std::string canonical;          ///< if options::canonical asked for it

    auto begin() const noexcept { return addresses.begin(); }
    auto end() const noexcept { return addresses.end(); }
};

/// Looks a host and a service up. An empty host is the loopback, or any address if
/// options::passive; an empty service is port 0. The host may be an address in any form of
/// inet_aton(3), with a scope for IPv6 ("fe80::1%eth0"); the service a number or a name of
/// services(5).
///
/// Name servers are asked as often and for as long as resolv.conf(5) says.
///
/// @throws std::system_error with error_category() and an EAI_* code: EAI_NONAME no such host,
/// EAI_NODATA no address of this family, EAI_AGAIN no name server answered, EAI_SERVICE no such
/// service, EAI_FAIL, EAI_MEMORY; or with an errno: ETIMEDOUT the deadline passed, ECANCELED
/// the hub ends, EMFILE no socket could be made. Cancelled: see <tendril/cancel.hpp>.
TENDRIL_EXPORT result resolve(const std::string& host, const std::string& service = {},
                              const options& how = {});

/// The name of an address, from hosts(5) or by a PTR query.
/// @throws as resolve(); EAI_NONAME: the address has no name.
TENDRIL_EXPORT std::string reverse(const address& of, deadline until = no_deadline);

/// Codes are those of getaddrinfo(3) (EAI_NONAME…), messages those of gai_strerror(3).
TENDRIL_EXPORT const std::error_category& error_category() noexcept;

} // namespace dns

} // namespace v1
} // namespace tendril
