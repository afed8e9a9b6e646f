// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <string>
#include <sys/socket.h>

namespace tendril {
inline namespace v1 {
namespace net {

/// What setsockopt(2) calls an option: a level and a number there, the name for error messages,
/// and, where IPv6 has an option of its own for the same thing, that one.
struct option_id {
    const char* name;
    int level;
    int number;
    const char* name6 = nullptr;
    int number6 = 0; ///< at IPPROTO_IPV6
};

/// An option of sockets with values of one type: `socket.set(net::option::keep_alive, true)`,
/// `socket.get(net::option::receive_buffer)`. Others than those below are declared like this:
///
///     constexpr net::socket_option<int> mark{{"SO_MARK", SOL_SOCKET, SO_MARK}};
///
/// Value: bool, int, std::chrono::seconds, std::chrono::milliseconds (each an int of the kernel's),
/// std::optional<std::chrono::seconds> (struct linger), std::string (the name of a network
/// interface; empty is none, so that the kernel chooses).
template <typename Value>
struct socket_option {
    using value_type = Value;
    option_id id;
};

/// Options by name. What an option means, and which sockets have it, say socket(7), tcp(7), udp(7),
/// ip(7), ipv6(7). One that does not fit the socket is an error of set() and get(): ENOPROTOOPT or
/// EOPNOTSUPP, and the option's name.
namespace option {

// --- every socket
/// Bind although connections of an earlier socket linger, or, for multicast, beside others.
inline constexpr socket_option<bool> reuse_address{{"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR}};
/// Several sockets of one user share an endpoint; the kernel spreads what comes. Before binding.
inline constexpr socket_option<bool> reuse_port{{"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT}};
/// Bytes. The kernel doubles what is set, for its own needs, up to net.core.rmem_max; get() tells
/// the double.
inline constexpr socket_option<int> receive_buffer{{"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF}};
/// Likewise, up to net.core.wmem_max.
inline constexpr socket_option<int> send_buffer{{"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF}};
/// Whether close() resets the connection (0 s) or, without a value, delivers what was written. Any
/// other time makes close() block the thread, whatever else it runs.
inline constexpr socket_option<std::optional<std::chrono::seconds>> linger{
    {"SO_LINGER", SOL_SOCKET, SO_LINGER}};
/// Urgent bytes stay in the stream, where sockatmark(3) finds them, in place of MSG_OOB.
inline constexpr socket_option<bool> urgent_inline{{"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE}};

// --- TCP
/// Send small writes at once. On by default in Tendril's own TCP sockets.
inline constexpr socket_option<bool> no_delay{{"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY}};
/// Send full segments only, until it is turned off, for at most 200 ms.
inline constexpr socket_option<bool> cork{{"TCP_CORK", IPPROTO_TCP, TCP_CORK}};
/// Probe an idle connection, so that a peer that vanished is noticed: ETIMEDOUT.
inline constexpr socket_option<bool> keep_alive{{"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE}};
/// Idle for so long before the first probe.
inline constexpr socket_option<std::chrono::seconds> keep_idle{
    {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE}};
/// So long between probes.
inline constexpr socket_option<std::chrono::seconds> keep_interval{
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL}};
/// So many unanswered probes end the connection.
inline constexpr socket_option<int> keep_count{{"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT}};
/// Sent data unacknowledged for so long ends the connection, ETIMEDOUT; 0 is the system's default.
inline constexpr socket_option<std::chrono::milliseconds> user_timeout{
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT}};

// --- IP. Of an IPv6 socket they are those of IPv6, also where it speaks IPv4.
/// Hops that a packet may take; -1 is the system's default.
inline constexpr socket_option<int> ttl{
    {"IP_TTL", IPPROTO_IP, IP_TTL, "IPV6_UNICAST_HOPS", IPV6_UNICAST_HOPS}};
/// Allow sending to broadcast addresses.
inline constexpr socket_option<bool> broadcast{{"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST}};
/// Hops of what is sent to a multicast group; 1, the default, stays in the local network.
inline constexpr socket_option<int> multicast_ttl{
    {"IP_MULTICAST_TTL", IPPROTO_IP, IP_MULTICAST_TTL, "IPV6_MULTICAST_HOPS", IPV6_MULTICAST_HOPS}};
/// Whether this machine's members of the group get it too; on by default.
inline constexpr socket_option<bool> multicast_loop{{"IP_MULTICAST_LOOP", IPPROTO_IP,
                                                     IP_MULTICAST_LOOP, "IPV6_MULTICAST_LOOP",
                                                     IPV6_MULTICAST_LOOP}};
/// Through which interface it is sent. Of an IPv4 socket it cannot be got: EOPNOTSUPP.
inline constexpr socket_option<std::string> multicast_interface{
    {"IP_MULTICAST_IF", IPPROTO_IP, IP_MULTICAST_IF, "IPV6_MULTICAST_IF", IPV6_MULTICAST_IF}};

} // namespace option

} // namespace net
} // namespace v1
} // namespace tendril
