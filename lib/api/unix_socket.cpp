// SPDX-License-Identifier: BSL-1.0
#include <tendril/unix_socket.hpp>

#include "api/net_support.hpp"
#include "net/udp.hpp"
#include "net/unix.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

namespace tendril {
inline namespace v1 {
namespace net {

namespace {

/// Throws unless fd is an AF_UNIX socket of that type.
void check_kind(int fd, int type) {
    const int domain = detail::net::get_option(fd, SOL_SOCKET, SO_DOMAIN);
    if (domain != AF_UNIX || detail::net::get_option(fd, SOL_SOCKET, SO_TYPE) != type) {
        net::fail(domain < 0 ? -domain : EPROTOTYPE, "adopt fd " + std::to_string(fd));
    }
}

/// Throws unless it is a pair.
void check_pair(int result) {
    if (result < 0) {
        net::fail(-result, "socketpair");
    }
}

struct bound_socket {
    io::unique_fd fd;
    detail::socket_file file;
};

/// Bound to `at`, and listening if it is a stream. Throws, with `what` was being done.
bound_socket bind_at(int type, const unix_address& at, const unix_bind_options& how,
                     const char* what) {
    const auto check = [&](int r) {
        if (r < 0) {
            net::fail(-r, std::string(what) + ' ' + (at.unnamed() ? "a new name" : at.text()));
        }
        return r;
    };
    bound_socket made;
    made.fd.reset(check(detail::net::make_unix(type)));
    if (at.unnamed()) {
        // The family alone asks for an abstract name.
        const sockaddr none{AF_UNIX, {}};
        check(detail::net::bind_unix(made.fd.get(), &none, sizeof none.sa_family, false));
    } else {
        check(detail::net::bind_unix(made.fd.get(), at.data(), at.size(), how.replace_stale));
    }
    if (!how.keep_file) {
        made.file = detail::socket_file(at.path());
    }
    if (type == SOCK_STREAM) {
        check(sys::real.listen(made.fd.get(), how.backlog) == 0 ? 0 : -errno);
    }
    return made;
}

/// `doing()` says what is done, for errors.
template <typename Doing>
received_fds receive(int fd, void* buffer, std::size_t size, std::size_t most, deadline limit,
                     Doing&& doing) {
    detail::io::options o;
    o.deadline = limit.at();
    received_fds got{size, {}};
    got.fds.reserve(std::min(most, detail::net::most_fds));
    detail::net::fd_batch came;
    const int r = detail::net::receive_fds(fd, buffer, got.size, came, most, o);
    if (r < 0) {
        throw_transfer(-r, doing(), got.size);
    }
    for (std::size_t i = 0; i < came.count; ++i) {
        got.fds.emplace_back(came.fds[i]);
    }
    return got;
}

} // namespace

// ------------------------------------------------------------------------------------ unix_stream

unix_stream unix_stream::connect(const unix_address& to, deadline limit) {
    const int r = detail::net::connect_unix(to.data(), to.size(), limit.at());
    if (r < 0) {
        net::fail(-r, "connect " + to.text());
    }
    return unix_stream(r, to.raw());
}

std::pair<unix_stream, unix_stream> unix_stream::pair() {
    int ends[2];
    check_pair(detail::net::unix_pair(SOCK_STREAM, ends));
    return {unix_stream(ends[0]), unix_stream(ends[1])};
}

unix_stream unix_stream::adopt(int fd) {
    check_kind(fd, SOCK_STREAM);
    const auto peer = detail::net::peer_address(fd);
    if (peer.size == 0) {
        net::fail(errno, "adopt fd " + std::to_string(fd));
    }
    return unix_stream(fd, to_public(peer));
}

credentials unix_stream::peer_credentials() const {
    ucred who{};
    socklen_t size = sizeof who;
    if (sys::real.getsockopt(native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
        fail(errno, "get SO_PEERCRED of");
    }
    return {who.pid, who.uid, who.gid};
}

void unix_stream::send_fds(const void* data, std::size_t size, const std::vector<int>& fds,
                           deadline limit) {
    if (size == 0) {
        throw transfer_error(EINVAL, doing("send fds without a byte to"), 0);
    }
    const deadline until = own_or(limit).at();
    detail::io::options o;
    o.deadline = until.at();
    const ssize_t n = detail::net::send_fds(native_handle(), data, size, fds.data(), fds.size(), o);
    if (n < 0) {
        throw_transfer(static_cast<int>(-n), doing("send fds to"), 0);
    }
    const auto sent = static_cast<std::size_t>(n);
    if (sent < size) {
        try {
            write_all(static_cast<const char*>(data) + sent, size - sent, until);
        } catch (const transfer_error& e) {
            throw transfer_error(e.code().value(), doing("write"), sent + e.transferred());
        }
    }
}

received_fds unix_stream::receive_fds(void* buffer, std::size_t size, std::size_t most,
                                      deadline limit) {
    return net::receive(native_handle(), buffer, size, most, own_or(limit),
                        [&] { return doing("receive fds from"); });
}

unix_address unix_stream::local() const {
    return unix_address(local_address());
}

// ---------------------------------------------------------------------------------- unix_listener

unix_listener unix_listener::listen(const unix_address& at, const unix_bind_options& how) {
    bound_socket made = bind_at(SOCK_STREAM, at, how, "listen");
    return {made.fd.release(), std::move(made.file)};
}

unix_stream unix_listener::accept(deadline limit) {
    detail::net::socket_address from;
    const int r =
        detail::net::accept(native_handle(), detail::io::fd_kind::stream, from, own_or(limit).at());
    if (r < 0) {
        fail(-r, "accept");
    }
    return unix_stream(r, to_public(from));
}

void unix_listener::close() noexcept {
    basic_socket::close();
    file_.remove();
}

int unix_listener::release() noexcept {
    file_.keep();
    return basic_socket::release();
}

unix_address unix_listener::local() const {
    return unix_address(local_address());
}

// ---------------------------------------------------------------------------------- unix_datagram

unix_datagram unix_datagram::open() {
    const int r = detail::net::make_unix(SOCK_DGRAM);
    if (r < 0) {
        net::fail(-r, "open a Unix datagram socket");
    }
    return unix_datagram(r);
}

unix_datagram unix_datagram::bind(const unix_address& at, const unix_bind_options& how) {
    bound_socket made = bind_at(SOCK_DGRAM, at, how, "bind");
    return unix_datagram(made.fd.release(), std::move(made.file));
}

std::pair<unix_datagram, unix_datagram> unix_datagram::pair() {
    int ends[2];
    check_pair(detail::net::unix_pair(SOCK_DGRAM, ends));
    return {unix_datagram(ends[0]), unix_datagram(ends[1])};
}

unix_datagram unix_datagram::adopt(int fd) {
    check_kind(fd, SOCK_DGRAM);
    return unix_datagram(fd, {}, to_public(detail::net::peer_address(fd)));
}

void unix_datagram::connect_to(const unix_address& to) {
    if (const int r = detail::net::set_peer(native_handle(), to.data(), to.size()); r < 0) {
        net::fail(-r, "connect " + to.text());
    }
    set_peer(to.raw());
}

void unix_datagram::disconnect() {
    if (const int r = detail::net::set_peer(native_handle(), nullptr, 0); r < 0) {
        fail(-r, "disconnect");
    }
    set_peer({});
}

datagram<unix_address> unix_datagram::receive_from(void* buffer, std::size_t size, deadline limit) {
    const auto got = receive_message(buffer, size, limit);
    return {got.size, got.full_size, unix_address(got.from)};
}

void unix_datagram::send_fds(const void* data, std::size_t size, const std::vector<int>& fds,
                             deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    const ssize_t n = detail::net::send_fds(native_handle(), data, size, fds.data(), fds.size(), o);
    if (n < 0) {
        throw_transfer(static_cast<int>(-n), doing("send fds to"), 0);
    }
}

received_fds unix_datagram::receive_fds(void* buffer, std::size_t size, std::size_t most,
                                        deadline limit) {
    return net::receive(native_handle(), buffer, size, most, own_or(limit),
                        [&] { return doing("receive fds from"); });
}

void unix_datagram::close() noexcept {
    basic_socket::close();
    file_.remove();
}

int unix_datagram::release() noexcept {
    file_.keep();
    return basic_socket::release();
}

unix_address unix_datagram::local() const {
    return unix_address(local_address());
}

} // namespace net
} // namespace v1
} // namespace tendril
