// SPDX-License-Identifier: BSL-1.0
#include <tendril/net.hpp>

#include "dns/netdb.hpp"
#include "io/operations.hpp"
#include "net/tcp.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <vector>

namespace tendril {
inline namespace v1 {
namespace net {

namespace {

using address_list = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

[[noreturn]] void fail(int error, const std::string& doing) {
    throw std::system_error(error, std::system_category(), doing);
}

dns::address to_public(const detail::net::socket_address& a) {
    return {a.data(), a.size};
}

address_list resolve(const std::string& host, const endpoint& whole, int flags, deadline limit,
                     const char* what) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    hints.ai_flags = flags;
    detail::netdb::options o;
    o.deadline = limit.at();
    addrinfo* list = nullptr;
    const int code = detail::netdb::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                                whole.service().c_str(), &hints, &list, o);
    if (code == EAI_SYSTEM) {
        fail(errno, std::string(what) + ' ' + whole.text());
    }
    if (code != 0) {
        throw std::system_error(code, dns::error_category(),
                                std::string(what) + ' ' + whole.text());
    }
    return {list, [](addrinfo* l) { detail::netdb::freeaddrinfo(l); }};
}

/// "connect db:5432 ([::1]:5432: Connection refused; 127.0.0.1:5432)": the last error is the one
/// that is thrown, and follows by itself.
std::string describe(const endpoint& to, const std::vector<detail::net::attempt>& tried) {
    std::string text = "connect " + to.text();
    if (tried.empty() || (tried.size() == 1 && endpoint(to_public(tried[0].to)) == to)) {
        return text;
    }
    const char* separator = " (";
    for (const auto& each : tried) {
        text += separator + to_public(each.to).text();
        if (&each != &tried.back()) {
            text += ": " + std::system_category().message(each.error);
        }
        separator = "; ";
    }
    return text + ')';
}

} // namespace

transfer_error::~transfer_error() = default;
end_of_stream::~end_of_stream() = default;

// ------------------------------------------------------------------------------------- tcp_stream

tcp_stream::tcp_stream(int fd, const dns::address& peer) noexcept
    : fd_(fd)
    , peer_(peer) {}

tcp_stream::tcp_stream(tcp_stream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1))
    , timeout_(other.timeout_)
    , peer_(std::exchange(other.peer_, {})) {}

tcp_stream& tcp_stream::operator=(tcp_stream&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = std::exchange(other.fd_, -1);
        timeout_ = other.timeout_;
        peer_ = std::exchange(other.peer_, {});
    }
    return *this;
}

tcp_stream tcp_stream::connect(const endpoint& to, deadline limit) {
    const address_list list = resolve(to.host(), to, 0, limit, "connect");
    std::vector<detail::net::attempt> tried;
    const int r = detail::net::connect(list.get(), limit.at(), tried);
    if (r < 0) {
        fail(-r, describe(to, tried));
    }
    return {r, to_public(tried.back().to)};
}

tcp_stream tcp_stream::adopt(int fd) {
    const auto peer = detail::net::peer_address(fd);
    if (peer.size == 0) {
        fail(errno, "adopt fd " + std::to_string(fd));
    }
    return {fd, to_public(peer)};
}

deadline tcp_stream::own_or(deadline limit) const {
    const bool given = limit.at() != detail::never;
    return given || timeout_ == std::chrono::nanoseconds::max() ? limit : deadline(timeout_);
}

std::string tcp_stream::doing(const char* what) const {
    return peer_.size() == 0 ? what : std::string(what) + ' ' + peer_.text();
}

std::size_t tcp_stream::read_some(void* buffer, std::size_t size, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    const ssize_t n = detail::io::read(fd_, buffer, size, o);
    if (n < 0) {
        throw transfer_error(static_cast<int>(-n), doing("read"), 0);
    }
    return static_cast<std::size_t>(n);
}

void tcp_stream::read_exactly(void* buffer, std::size_t size, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    auto* const bytes = static_cast<char*>(buffer);
    for (std::size_t done = 0; done < size;) {
        const ssize_t n = detail::io::read(fd_, bytes + done, size - done, o);
        if (n < 0) {
            throw transfer_error(static_cast<int>(-n), doing("read"), done);
        }
        if (n == 0) {
            throw end_of_stream(doing("read") + ": the peer ended the stream after " +
                                    std::to_string(done) + " of " + std::to_string(size) + " bytes",
                                done);
        }
        done += static_cast<std::size_t>(n);
    }
}

std::string tcp_stream::read_until(std::string_view delimiter, std::size_t most, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    std::string text;
    for (;;) {
        char buffer[4096];
        const std::size_t room = std::min(sizeof buffer, most - text.size());
        if (room == 0) {
            throw transfer_error(EMSGSIZE, doing("read"), text.size());
        }
        // Looks first: what follows the delimiter must stay for the next reader.
        const ssize_t seen = detail::io::recv(fd_, buffer, room, MSG_PEEK, o);
        if (seen < 0) {
            throw transfer_error(static_cast<int>(-seen), doing("read"), text.size());
        }
        if (seen == 0) {
            throw end_of_stream(doing("read") + ": the peer ended the stream after " +
                                    std::to_string(text.size()) + " bytes",
                                text.size());
        }
        const std::size_t before = text.size();
        text.append(buffer, static_cast<std::size_t>(seen));
        const std::size_t from = before - std::min(before, delimiter.size());
        const std::size_t found = text.find(delimiter, from);
        if (found != std::string::npos) {
            text.resize(found + delimiter.size());
        }
        read_exactly(buffer, text.size() - before, limit);
        if (found != std::string::npos) {
            return text;
        }
    }
}

void tcp_stream::write_all(const void* buffer, std::size_t size, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    const auto* const bytes = static_cast<const char*>(buffer);
    std::size_t done = 0;
    do {
        const ssize_t n = detail::io::send(fd_, bytes + done, size - done, MSG_NOSIGNAL, o);
        if (n < 0) {
            throw transfer_error(static_cast<int>(-n), doing("write"), done);
        }
        done += static_cast<std::size_t>(n);
    } while (done < size);
}

void tcp_stream::shutdown(direction which) {
    const int how = which == direction::receive ? SHUT_RD
                    : which == direction::send  ? SHUT_WR
                                                : SHUT_RDWR;
    if (::shutdown(fd_, how) != 0) {
        fail(errno, doing("shutdown"));
    }
}

void tcp_stream::close() noexcept {
    if (fd_ >= 0) {
        detail::net::close(std::exchange(fd_, -1));
    }
}

void tcp_stream::set_no_delay(bool on) {
    const int value = on ? 1 : 0;
    if (::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) != 0) {
        fail(errno, doing("set TCP_NODELAY"));
    }
}

bool tcp_stream::no_delay() const {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &value, &size) != 0) {
        fail(errno, doing("get TCP_NODELAY"));
    }
    return value != 0;
}

endpoint tcp_stream::local() const {
    const auto address = detail::net::local_address(fd_);
    if (address.size == 0) {
        fail(errno, doing("getsockname"));
    }
    return to_public(address);
}

endpoint tcp_stream::remote() const {
    return peer_.size() == 0 ? endpoint() : endpoint(peer_);
}

int tcp_stream::release() noexcept {
    peer_ = {};
    return std::exchange(fd_, -1);
}

// ----------------------------------------------------------------------------------- tcp_listener

tcp_listener& tcp_listener::operator=(tcp_listener&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = other.release();
    }
    return *this;
}

tcp_listener tcp_listener::listen(const endpoint& at, const listen_options& how) {
    const detail::net::listen_flags flags{how.backlog, how.reuse_address, how.reuse_port,
                                          how.ipv6_only};
    tcp_listener made;
    int r = -EADDRNOTAVAIL;
    // Every address is IPv6's, which takes IPv4 as well; a kernel may be without it.
    const bool every = at.host().empty();
    for (const std::string& host :
         every ? std::vector<std::string>{"::", "0.0.0.0"} : std::vector<std::string>{at.host()}) {
        const address_list list = resolve(host, at, AI_PASSIVE, {}, "listen");
        r = detail::net::listen(list.get(), flags);
        if (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL) {
            break;
        }
    }
    if (r < 0) {
        fail(-r, "listen " + at.text());
    }
    made.fd_ = r;
    return made;
}

tcp_stream tcp_listener::accept(deadline limit) {
    detail::net::socket_address peer;
    const int listener = fd_;
    const int r = detail::net::accept(listener, peer, limit.at());
    if (r < 0) {
        const auto at = detail::net::local_address(fd_);
        fail(-r, at.size == 0 ? "accept" : "accept " + to_public(at).text());
    }
    return {r, to_public(peer)};
}

void tcp_listener::close() noexcept {
    if (fd_ >= 0) {
        detail::net::close(std::exchange(fd_, -1));
    }
}

endpoint tcp_listener::local() const {
    const auto address = detail::net::local_address(fd_);
    if (address.size == 0) {
        fail(errno, "getsockname");
    }
    return to_public(address);
}

} // namespace net
} // namespace v1
} // namespace tendril
