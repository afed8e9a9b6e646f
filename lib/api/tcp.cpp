// SPDX-License-Identifier: BSL-1.0
#include <tendril/tcp.hpp>

#include "api/net_support.hpp"
#include "net/tcp.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <vector>

namespace tendril {
inline namespace v1 {
namespace net {

namespace {

addrinfo tcp_hints() noexcept {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    return hints;
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

tcp_stream tcp_stream::connect(const endpoint& to, deadline limit) {
    const address_list list = resolve(to.host(), to, tcp_hints(), limit, "connect");
    std::vector<detail::net::attempt> tried;
    const int r = detail::net::connect(list.get(), limit.at(), tried);
    if (r < 0) {
        net::fail(-r, describe(to, tried));
    }
    return {r, to_public(tried.back().to)};
}

tcp_stream tcp_stream::adopt(int fd) {
    const auto peer = detail::net::peer_address(fd);
    if (peer.size == 0) {
        net::fail(errno, "adopt fd " + std::to_string(fd));
    }
    return {fd, to_public(peer)};
}

endpoint tcp_stream::local() const {
    return local_address();
}

endpoint tcp_stream::remote() const {
    return peer().size() == 0 ? endpoint() : endpoint(peer());
}

tcp_listener tcp_listener::listen(const endpoint& at, const listen_options& how) {
    const detail::net::listen_flags flags{how.backlog,
                                          {how.reuse_address, how.reuse_port, how.ipv6_only}};
    return tcp_listener(bind_first(at, tcp_hints(), "listen", [&](const addrinfo* list) {
        return detail::net::listen(list, flags);
    }));
}

tcp_stream tcp_listener::accept(deadline limit) {
    detail::net::socket_address from;
    const int r =
        detail::net::accept(native_handle(), detail::io::fd_kind::tcp, from, own_or(limit).at());
    if (r < 0) {
        fail(-r, "accept");
    }
    return {r, to_public(from)};
}

endpoint tcp_listener::local() const {
    return local_address();
}

} // namespace net
} // namespace v1
} // namespace tendril
