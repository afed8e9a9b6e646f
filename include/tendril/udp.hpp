// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/datagram.hpp>
#include <tendril/dns.hpp>
#include <tendril/endpoint.hpp>
#include <tendril/export.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace tendril {
inline namespace v1 {
namespace net {

/// How to bind a UDP socket. Every member has a default.
struct udp_options {
    /// SO_REUSEADDR: share the port; each member of a multicast group needs it (ip(7)).
    bool reuse_address = false;
    /// SO_REUSEPORT: share the port; the kernel spreads the datagrams by who sent them.
    bool reuse_port = false;
    /// Not also IPv4 when bound to an IPv6 address.
    bool ipv6_only = false;
};

/// A UDP socket. Closed with its object.
///
/// A connected one hears from its peer only, and learns from the network that nobody is there: the
/// next send or receive after an unwanted datagram throws ECONNREFUSED, once (udp(7)).
class TENDRIL_EXPORT udp_socket : public datagram_socket {
public:
    /// No socket.
    udp_socket() noexcept = default;

    /// One without an address, to send with: the first send gives it a free port. `any`: IPv6,
    /// which speaks IPv4 as well, and IPv4 where the kernel has no IPv6.
    /// @throws std::system_error EAFNOSUPPORT, EMFILE…
    static udp_socket open(dns::family family = dns::family::any);

    /// One that receives at the first address of `at` that can be had. Port 0 takes a free one, see
    /// local(). An empty host (":53") is every address of this machine, IPv6 and IPv4.
    /// @throws std::system_error EADDRINUSE, EADDRNOTAVAIL, EACCES… (bind(2)); with
    /// dns::error_category(): the name cannot be resolved.
    static udp_socket bind(const endpoint& at, const udp_options& how = {});

    /// One that is connected to the first address of `to` that there is a route to. Nothing is
    /// sent. The deadline limits the look-up of a name.
    /// @throws std::system_error ENETUNREACH… (connect(2)); with dns::error_category(): the name
    /// cannot be resolved.
    static udp_socket connect(const endpoint& to, deadline limit = {});

    /// Takes over a UDP socket, whatever its flags.
    /// @throws std::system_error EBADF, ENOTSOCK, EPROTOTYPE: not UDP; then `fd` is still the
    /// caller's.
    static udp_socket adopt(int fd);

    /// From now on sends to `peer` and hears from it only. Never waits.
    /// @throws std::system_error EAFNOSUPPORT, ENETUNREACH… (connect(2))
    void connect_to(const dns::address& peer);
    /// Undoes it; a port that the kernel chose is given up, too. @throws std::system_error EBADF
    void disconnect();

    /// Sends one datagram, waiting for room.
    /// @throws std::system_error EMSGSIZE too long (65,507 bytes over IPv4); EACCES a broadcast
    /// address, without option::broadcast; EAFNOSUPPORT an IPv6 address on an IPv4 socket;
    /// ENETUNREACH, EPERM, ENOBUFS… (udp(7))
    void send_to(const void* data, std::size_t size, const dns::address& to, deadline limit = {});
    void send_to(std::string_view data, const dns::address& to, deadline limit = {}) {
        send_to(data.data(), data.size(), to, limit);
    }

    /// The same, to the first address of an endpoint that fits the socket, looked up each time: to
    /// send often, keep the address of dns::resolve().
    /// @throws also with dns::error_category(): the name cannot be resolved.
    void send_to(const void* data, std::size_t size, const endpoint& to, deadline limit = {});
    void send_to(std::string_view data, const endpoint& to, deadline limit = {}) {
        send_to(data.data(), data.size(), to, limit);
    }

    /// Waits for the next datagram, and tells who sent it and whether it fitted.
    datagram<dns::address> receive_from(void* buffer, std::size_t size, deadline limit = {}) {
        return receive_message(buffer, size, limit);
    }

    /// Joins a multicast group: from now on the socket hears what is sent to it at the port that it
    /// is bound to. `interface`: by name; empty: the one that the kernel has a route by. What is
    /// sent, options multicast_interface, multicast_ttl and multicast_loop decide.
    /// @throws std::system_error EINVAL no multicast address; ENODEV no such interface, or no
    /// route; EADDRINUSE joined already; ENOBUFS too many groups (net.ipv4.igmp_max_memberships)
    void join_group(const dns::address& group, const std::string& interface = {});
    /// @throws std::system_error EADDRNOTAVAIL not joined there
    void leave_group(const dns::address& group, const std::string& interface = {});

    endpoint local() const;  ///< @throws std::system_error EBADF: no socket
    endpoint remote() const; ///< empty unless connected
    const dns::address& remote_address() const noexcept { return peer(); }

private:
    explicit udp_socket(int fd, const dns::address& peer = {}) noexcept
        : datagram_socket(fd, peer) {}
    void change_group(int option, const char* what, const dns::address& group,
                      const std::string& interface);
};

} // namespace net
} // namespace v1
} // namespace tendril
