// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/datagram.hpp>
#include <tendril/detail/socket_file.hpp>
#include <tendril/export.hpp>
#include <tendril/stream.hpp>
#include <tendril/unique_fd.hpp>
#include <tendril/unix_address.hpp>

#include <cstddef>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace tendril {
inline namespace v1 {
namespace net {

/// Who is at the other end of a Unix socket.
struct credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/// Bytes that came together with file descriptors, which are the receiver's from now on.
struct received_fds {
    std::size_t size; ///< bytes in the buffer
    std::vector<io::unique_fd> fds;
};

/// A stream between two processes of one machine. Closed with its object.
class TENDRIL_EXPORT unix_stream : public stream {
public:
    /// No connection.
    unix_stream() noexcept = default;

    /// Connects, waiting while the listener's queue is full.
    /// @throws std::system_error ENOENT no such file; ECONNREFUSED nobody listens there (any more);
    /// EACCES; EPROTOTYPE a datagram socket is there; ETIMEDOUT the deadline passed.
    static unix_stream connect(const unix_address& to, deadline limit = {});

    /// Two ends of a new connection, without names: socketpair(2).
    /// @throws std::system_error EMFILE, ENFILE
    static std::pair<unix_stream, unix_stream> pair();

    /// Takes over a connected AF_UNIX stream socket, whatever its flags.
    /// @throws std::system_error EBADF, ENOTSOCK, ENOTCONN, EPROTOTYPE: it is of another kind; then
    /// `fd` is still the caller's.
    static unix_stream adopt(int fd);

    /// Who called connect(), listen() or pair() at the other end: SO_PEERCRED. As of that moment,
    /// attested by the kernel.
    /// @throws std::system_error EBADF
    credentials peer_credentials() const;

    /// Writes all of the bytes, at least one, and passes copies of the fds with the first of them,
    /// as dup(2) makes them. The originals stay the caller's.
    /// @throws transfer_error EINVAL no byte, or more than 253 fds; EBADF one of them is not open;
    /// ETOOMANYREFS too many are under way (unix(7)). Also as write_all(): the fds went if
    /// transferred() is not 0.
    void send_fds(const void* data, std::size_t size, const std::vector<int>& fds,
                  deadline limit = {});
    void send_fds(std::string_view data, const std::vector<int>& fds, deadline limit = {}) {
        send_fds(data.data(), data.size(), fds, limit);
    }

    /// Waits until at least one byte can be read, and reads what is there, with the fds that were
    /// passed with it, at most `most` (up to 253). They have FD_CLOEXEC set. Bytes sent with fds
    /// come by calls of their own; what fds a read_some() meets, the kernel closes.
    ///
    /// All or none: if an fd cannot be received, those that came are closed and transfer_error is
    /// thrown; its transferred() bytes are in the buffer.
    /// @throws transfer_error EMSGSIZE more than `most` were passed; EMFILE no fd is left. Also as
    /// read_some().
    received_fds receive_fds(void* buffer, std::size_t size, std::size_t most, deadline limit = {});

    unix_address local() const; ///< @throws std::system_error EBADF: no connection
    /// Also when the peer has gone. Who connected without binding before has no address.
    unix_address remote() const { return unix_address(peer()); }

private:
    friend class unix_listener;
    explicit unix_stream(int fd, const dns::address& peer = {}) noexcept
        : stream(fd, peer) {}
};

/// How to make a Unix socket with an address. Every member has a default.
///
/// Binding to a path makes a file there, with the permissions that umask(2) leaves; connecting
/// needs write permission. It never replaces a file by itself: EADDRINUSE, be it a socket in use,
/// one that its server left behind, or something else.
struct unix_bind_options {
    /// Replaces a file that is a socket to which connecting is refused: its server is gone. Not
    /// safe against two servers that start at the same moment, which may remove each other's; those
    /// who can must agree by other means, as a lock file.
    bool replace_stale = false;
    /// Leaves the file when the socket is closed. Otherwise it is removed by the process that made
    /// it, if it still is the same file; in the child of a fork it stays.
    bool keep_file = false;
    /// Of a listener: connections that may wait for an accept, see listen_options.
    int backlog = 4096;
};

/// A Unix socket that accepts connections. Closed with its object.
class TENDRIL_EXPORT unix_listener : public basic_socket {
public:
    /// Listens on nothing.
    unix_listener() noexcept = default;
    unix_listener(unix_listener&&) noexcept = default;
    unix_listener& operator=(unix_listener&&) noexcept = default;
    ~unix_listener() = default;

    /// Listens. No address: the kernel chooses an abstract name, see local().
    /// @throws std::system_error EADDRINUSE there is such a file or name; EACCES, ENOENT, ENOTDIR,
    /// EROFS its directory.
    static unix_listener listen(const unix_address& at, const unix_bind_options& how = {});

    /// Waits for the next connection; a shortage of fds is waited out, as tcp_listener::accept()
    /// does.
    /// @throws std::system_error ETIMEDOUT the deadline passed; EBADF the listener is closed, or
    /// was while this waited.
    unix_stream accept(deadline limit = {});

    /// Stops listening, and removes its file; fibers in accept() throw EBADF, also on other
    /// threads' hubs. Harmless when closed.
    void close() noexcept;
    /// The fd, the caller's from now on, as is the file; or -1.
    int release() noexcept;

    unix_address local() const; ///< @throws std::system_error EBADF

private:
    unix_listener(int fd, detail::socket_file file) noexcept
        : basic_socket(fd)
        , file_(std::move(file)) {}

    detail::socket_file file_;
};

/// A Unix socket for datagrams, which arrive in order and are never lost. Closed with its object.
class TENDRIL_EXPORT unix_datagram : public datagram_socket {
public:
    /// No socket.
    unix_datagram() noexcept = default;
    unix_datagram(unix_datagram&&) noexcept = default;
    unix_datagram& operator=(unix_datagram&&) noexcept = default;
    ~unix_datagram() = default;

    /// One without an address, to send with; nobody can answer it.
    /// @throws std::system_error EMFILE, ENFILE
    static unix_datagram open();

    /// One that receives at an address. No address: the kernel chooses an abstract name.
    /// @throws as unix_listener::listen()
    static unix_datagram bind(const unix_address& at, const unix_bind_options& how = {});

    /// Two that are connected to each other: socketpair(2). @throws std::system_error EMFILE,
    /// ENFILE
    static std::pair<unix_datagram, unix_datagram> pair();

    /// Takes over an AF_UNIX datagram socket, whatever its flags.
    /// @throws std::system_error EBADF, ENOTSOCK, EPROTOTYPE: it is of another kind; then `fd` is
    /// still the caller's.
    static unix_datagram adopt(int fd);

    /// From now on sends to `peer` and hears from it only. Never waits.
    /// @throws std::system_error ENOENT, ECONNREFUSED, EACCES, EPROTOTYPE (unix(7))
    void connect_to(const unix_address& peer);
    void disconnect(); ///< undoes it. @throws std::system_error EBADF

    /// Sends one datagram, waiting while the receiver's queue is full.
    /// @throws std::system_error EMSGSIZE longer than option::send_buffer allows; ENOENT no such
    /// file; ECONNREFUSED nobody receives there (any more)
    void send_to(const void* data, std::size_t size, const unix_address& to, deadline limit = {}) {
        send_message(data, size, &to.raw(), limit);
    }
    void send_to(std::string_view data, const unix_address& to, deadline limit = {}) {
        send_to(data.data(), data.size(), to, limit);
    }

    /// Waits for the next datagram, and tells who sent it and whether it fitted. Who has not bound
    /// its socket has no address.
    datagram<unix_address> receive_from(void* buffer, std::size_t size, deadline limit = {});

    /// As those of unix_stream, in one datagram, which may be empty, from and to the peer that the
    /// socket is connected to; receive_fds() takes those of other senders too. A datagram that does
    /// not fit is an error as fds that do not: EMSGSIZE.
    void send_fds(const void* data, std::size_t size, const std::vector<int>& fds,
                  deadline limit = {});
    void send_fds(std::string_view data, const std::vector<int>& fds, deadline limit = {}) {
        send_fds(data.data(), data.size(), fds, limit);
    }
    received_fds receive_fds(void* buffer, std::size_t size, std::size_t most, deadline limit = {});

    /// Closes it, and removes its file. Harmless when closed.
    void close() noexcept;
    /// The fd, the caller's from now on, as is the file; or -1.
    int release() noexcept;

    unix_address local() const; ///< @throws std::system_error EBADF
    unix_address remote() const { return unix_address(peer()); } ///< none unless connected

private:
    explicit unix_datagram(int fd, detail::socket_file file = {},
                           const dns::address& peer = {}) noexcept
        : datagram_socket(fd, peer)
        , file_(std::move(file)) {}

    detail::socket_file file_;
};

} // namespace net
} // namespace v1
} // namespace tendril
