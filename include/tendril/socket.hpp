// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/dns.hpp>
#include <tendril/export.hpp>
#include <tendril/io.hpp>
#include <tendril/socket_options.hpp>

#include <chrono>
#include <string>

namespace tendril {
inline namespace v1 {
namespace net {

/// The time limit of a call: a duration or a point in time. In the past: one attempt is made,
/// without waiting.
using io::deadline;

/// What all sockets have in common: they own an fd, have options and a time limit.
class TENDRIL_EXPORT basic_socket {
public:
    basic_socket(const basic_socket&) = delete;
    basic_socket& operator=(const basic_socket&) = delete;

    /// Sets an option of <tendril/socket_options.hpp>: `set(option::keep_alive, true)`.
    /// @throws std::system_error ENOPROTOOPT, EOPNOTSUPP the socket has no such option; EINVAL,
    /// EDOM no such value; EPERM, EACCES; ENODEV no such network interface; EBADF. The text names
    /// the option.
    template <typename Value>
    void set(const socket_option<Value>& which,
             const typename socket_option<Value>::value_type& value) {
        store(which.id, value);
    }

    /// What the option is now. @throws as set()
    template <typename Value>
    Value get(const socket_option<Value>& which) const {
        Value value{};
        load(which.id, value);
        return value;
    }

    /// A limit for each call that may wait and is given no deadline. Zero or negative: they do not
    /// wait. `nanoseconds::max()`, the default: none.
    void set_timeout(std::chrono::nanoseconds each) noexcept { timeout_ = each; }
    std::chrono::nanoseconds timeout() const noexcept { return timeout_; }

    /// Closes the socket; calls that wait on it throw EBADF, also on other threads' hubs. Harmless
    /// when closed. Never waits: what a stream wrote is still delivered, unless received bytes are
    /// left unread, which makes TCP reset the connection.
    void close() noexcept;

    /// The fd, still owned by the object, or -1. It has O_NONBLOCK set if Tendril made it, which
    /// shimmed calls hide from the program; calls on threads without a hub see it, and so does the
    /// flush of stdio's streams at exit: flush those before.
    int native_handle() const noexcept { return fd_; }
    /// The fd, the caller's from now on, or -1.
    int release() noexcept;

    explicit operator bool() const noexcept { return fd_ >= 0; } ///< there is a socket

protected:
    basic_socket() noexcept = default;
    explicit basic_socket(int fd, const dns::address& peer = {}) noexcept
        : fd_(fd)
        , peer_(peer) {}
    basic_socket(basic_socket&& other) noexcept;
    basic_socket& operator=(basic_socket&& other) noexcept;
    ~basic_socket() { close(); }

    deadline own_or(deadline limit) const;
    dns::address local_address() const; ///< @throws std::system_error EBADF
    const dns::address& peer() const noexcept { return peer_; }
    void set_peer(const dns::address& peer) noexcept { peer_ = peer; }

    /// "read 127.0.0.1:80": what is done, and on which socket.
    std::string doing(const char* what) const;
    [[noreturn]] void fail(int error, const char* what) const;

private:
    [[noreturn]] void option_failed(int error, const char* doing_what, const char* name) const;
    void store(const option_id& which, bool value);
    void store(const option_id& which, int value);
    void store(const option_id& which, std::chrono::seconds value);
    void store(const option_id& which, std::chrono::milliseconds value);
    void store(const option_id& which, std::optional<std::chrono::seconds> value);
    void store(const option_id& which, const std::string& interface);
    void load(const option_id& which, bool& value) const;
    void load(const option_id& which, int& value) const;
    void load(const option_id& which, std::chrono::seconds& value) const;
    void load(const option_id& which, std::chrono::milliseconds& value) const;
    void load(const option_id& which, std::optional<std::chrono::seconds>& value) const;
    void load(const option_id& which, std::string& interface) const;

    int fd_ = -1;
    std::chrono::nanoseconds timeout_ = std::chrono::nanoseconds::max();
    dns::address peer_;
};

} // namespace net
} // namespace v1
} // namespace tendril
