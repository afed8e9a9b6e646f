// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/dns.hpp>
#include <tendril/export.hpp>
#include <tendril/io.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace tendril {
inline namespace v1 {

/// TCP for code that is written to block: each call parks the calling fiber where it would block,
/// and other fibers run. On a thread without a hub the thread gets one, and waits as its main
/// fiber.
///
/// Errors are std::system_error with the real errno and what was being done, like "connect
/// 127.0.0.1:5432: Connection refused". ECANCELED: the fiber was cancelled or its hub ends.
///
/// One object belongs to one thread at a time. Within it, one fiber may read while another writes.
namespace net {

/// The time limit of a call: a duration or a point in time. In the past: one attempt is made,
/// without waiting.
using io::deadline;

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

/// A transfer that failed. What was transferred before is not undone.
class TENDRIL_EXPORT transfer_error : public std::system_error {
public:
    transfer_error(int error, const std::string& doing, std::size_t transferred)
        : std::system_error(error, std::system_category(), doing)
        , transferred_(transferred) {}
    ~transfer_error() override;
    std::size_t transferred() const noexcept { return transferred_; } ///< bytes

private:
    std::size_t transferred_;
};

/// The peer ended the stream before all that was asked for had come.
class TENDRIL_EXPORT end_of_stream : public std::runtime_error {
public:
    end_of_stream(const std::string& what, std::size_t transferred)
        : std::runtime_error(what)
        , transferred_(transferred) {}
    ~end_of_stream() override;
    std::size_t transferred() const noexcept { return transferred_; } ///< bytes

private:
    std::size_t transferred_;
};

enum class direction { receive, send, both };

/// A TCP connection. Closed with its object.
///
/// Errors of its transfers beside errno values of recv(2) and send(2): ETIMEDOUT the deadline
/// passed; EBADF there is no connection, or it was closed while the call waited. ECONNRESET and
/// EPIPE end the connection; after ETIMEDOUT it can be used on. No call raises SIGPIPE.
class TENDRIL_EXPORT tcp_stream {
public:
    /// No connection.
    tcp_stream() noexcept = default;
    tcp_stream(tcp_stream&& other) noexcept;
    tcp_stream& operator=(tcp_stream&& other) noexcept;
    ~tcp_stream() { close(); }

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

    /// Waits until at least one byte can be read, and reads what is there, at most `size` bytes.
    /// @returns how many; 0 when the peer has ended the stream (or if `size` is 0).
    std::size_t read_some(void* buffer, std::size_t size, deadline limit = {});

    /// Reads `size` bytes.
    /// @throws transfer_error, end_of_stream: transferred() bytes are in the buffer.
    void read_exactly(void* buffer, std::size_t size, deadline limit = {});

    /// Reads up to and including the first `delimiter`, and nothing of what follows it.
    /// @param most the length that the result may have; EMSGSIZE beyond it. A delimiter within is
    /// found.
    /// @throws transfer_error, end_of_stream: transferred() bytes were read, and are lost.
    std::string read_until(std::string_view delimiter, std::size_t most = 65536,
                           deadline limit = {});

    /// Writes all: returns when the kernel has taken the last byte, which does not mean that the
    /// peer has it.
    /// @throws transfer_error: transferred() bytes were taken.
    void write_all(const void* buffer, std::size_t size, deadline limit = {});
    void write_all(std::string_view text, deadline limit = {}) {
        write_all(text.data(), text.size(), limit);
    }

    /// Ends one direction, see shutdown(2): after `send` the peer reads the end of the stream, and
    /// its answers can still be read. Fibers that wait in that direction go on. Never waits.
    /// @throws std::system_error ENOTCONN, EBADF.
    void shutdown(direction which);

    /// Closes the connection; calls that wait on it throw EBADF. Harmless without one. Never waits:
    /// what was written is still delivered, unless received bytes are left unread, which makes the
    /// kernel reset the connection.
    void close() noexcept;

    /// A limit for each read and write that is given no deadline. Zero or negative: they do not
    /// wait. `nanoseconds::max()`, the default: none.
    void set_timeout(std::chrono::nanoseconds each) noexcept { timeout_ = each; }
    std::chrono::nanoseconds timeout() const noexcept { return timeout_; }

    /// TCP_NODELAY: whether small writes are sent at once (tcp(7)). On by default here, because
    /// write_all gets what the program wants to be sent.
    /// @throws std::system_error EBADF
    void set_no_delay(bool on);
    bool no_delay() const;

    endpoint local() const;  ///< @throws std::system_error EBADF: no connection
    endpoint remote() const; ///< also when the peer has gone; empty without a connection
    const dns::address& remote_address() const noexcept { return peer_; }

    /// The fd, still owned by the object, or -1. It has O_NONBLOCK set, which shimmed calls hide
    /// from the program.
    int native_handle() const noexcept { return fd_; }
    /// The fd, the caller's from now on, or -1.
    int release() noexcept;

    explicit operator bool() const noexcept { return fd_ >= 0; } ///< there is a connection

private:
    friend class tcp_listener;
    tcp_stream(int fd, const dns::address& peer) noexcept;

    deadline own_or(deadline limit) const;
    std::string doing(const char* what) const;

    int fd_ = -1;
    std::chrono::nanoseconds timeout_ = std::chrono::nanoseconds::max();
    dns::address peer_;
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
class TENDRIL_EXPORT tcp_listener {
public:
    /// Listens on nothing.
    tcp_listener() noexcept = default;
    tcp_listener(tcp_listener&& other) noexcept
        : fd_(other.release()) {}
    tcp_listener& operator=(tcp_listener&& other) noexcept;
    ~tcp_listener() { close(); }

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

    /// Stops listening; fibers in accept() throw EBADF, also on other threads' hubs. Harmless when
    /// closed.
    void close() noexcept;

    endpoint local() const; ///< @throws std::system_error EBADF

    int native_handle() const noexcept { return fd_; } ///< or -1; see tcp_stream
    int release() noexcept { return std::exchange(fd_, -1); }

    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

} // namespace net

} // namespace v1
} // namespace tendril
