// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/dns.hpp>
#include <tendril/endpoint.hpp>
#include <tendril/export.hpp>
#include <tendril/stream.hpp>

namespace tendril {
inline namespace v1 {
namespace net {

/// A TCP connection. Closed with its object.
class TENDRIL_EXPORT tcp_stream : public stream {
public:
    /// No connection.
    tcp_stream() noexcept = default;

    /// Connects. A name's addresses are tried in their order (RFC 6724), IPv6 and IPv4, until one
    /// answers; each gets an equal share of the time that is left, after the look-up of the
    /// name took its part. Without a deadline the kernel decides how long to try
    /// (tcp_syn_retries, see tcp(7)).
    ///
    /// @throws std::system_error what connect(2) gives for the last address that was tried, as
    /// ECONNREFUSED, ENETUNREACH or ETIMEDOUT (also: the deadline passed); the text names each
    /// address with its error. With dns::error_category(): the name cannot be resolved.
    static tcp_stream connect(const endpoint& to, deadline limit = {});

    /// Takes over a connected TCP socket, whatever its flags.
    /// @throws std::system_error EBADF, ENOTSOCK, ENOTCONN; then `fd` is still the caller's.
    static tcp_stream adopt(int fd);

    /// option::no_delay: whether small writes are sent at once. On by default here, because
    /// write_all gets what the program wants to be sent.
    /// @throws std::system_error EBADF
    void set_no_delay(bool on) { set(option::no_delay, on); }
    bool no_delay() const { return get(option::no_delay); }

    endpoint local() const;  ///< @throws std::system_error EBADF: no connection
    endpoint remote() const; ///< also when the peer has gone; empty without a connection
    const dns::address& remote_address() const noexcept { return peer(); }

private:
    friend class tcp_listener;
    tcp_stream(int fd, const dns::address& peer) noexcept
        : stream(fd, peer) {}
};

/// How to listen. Every member has a default.
struct listen_options {
    /// Connections that may wait for an accept; the kernel's own limit is
    /// /proc/sys/net/core/somaxconn.
    int backlog = 4096;
    /// SO_REUSEADDR: listen although connections of an earlier listener linger (socket(7)).
    bool reuse_address = true;
    /// SO_REUSEPORT: several listeners share the endpoint and the kernel spreads the connections.
    bool reuse_port = false;
    /// Not also IPv4 when listening on an IPv6 address.
    bool ipv6_only = false;
};

/// A TCP socket that accepts connections. Closed with its object.
class TENDRIL_EXPORT tcp_listener : public basic_socket {
public:
    /// Listens on nothing.
    tcp_listener() noexcept = default;

    /// Listens on the first address of `at` that can be had. Port 0 takes a free one, see local().
    /// An empty host (":80") is every address of this machine, IPv6 and IPv4.
    /// @throws std::system_error EADDRINUSE, EADDRNOTAVAIL, EACCES… (bind(2), listen(2)); with
    /// dns::error_category(): the name cannot be resolved.
    static tcp_listener listen(const endpoint& at, const listen_options& how = {});

    /// Waits for the next connection. Connections that broke in the queue are passed over.
    ///
    /// When no fd is left for it (EMFILE, ENFILE; or ENOBUFS, ENOMEM), the connection stays in the
    /// queue, and this waits: until a net:: object is closed in this process, and at most 1 ms, 2
    /// ms, … 100 ms before it tries again. Only when the deadline passes meanwhile is that error
    /// thrown. So nothing spins, and the listener outlives the shortage, as in gevent and Go.
    ///
    /// @throws std::system_error ETIMEDOUT the deadline passed; EBADF the listener is closed, or
    /// was while this waited.
    tcp_stream accept(deadline limit = {});

    endpoint local() const; ///< @throws std::system_error EBADF

private:
    explicit tcp_listener(int fd) noexcept
        : basic_socket(fd) {}
};

} // namespace net
} // namespace v1
} // namespace tendril
