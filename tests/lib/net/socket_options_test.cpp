// SPDX-License-Identifier: BSL-1.0
#include "lib/net/net_support.hpp"

#include <tendril/net.hpp>

#include <chrono>
#include <optional>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::net::tcp_listener;
using tendril::net::udp_socket;
using tendril::net::unix_datagram;
using tendril::net::unix_stream;
namespace dns = tendril::dns;
namespace option = tendril::net::option;

/// What is set can be got.
template <typename Socket, typename Option>
void expect_kept(Socket& socket, const Option& which, const typename Option::value_type& value) {
    socket.set(which, value);
    EXPECT_EQ(value, socket.get(which)) << which.id.name;
}

TEST(SocketOptions, OfTcp) {
    stream_pair pair;
    auto& tcp = pair.client;
    EXPECT_TRUE(tcp.get(option::no_delay)) << "as connect() promises";
    for (const bool on : {false, true}) {
        expect_kept(tcp, option::no_delay, on);
        expect_kept(tcp, option::cork, on);
        expect_kept(tcp, option::keep_alive, on);
        expect_kept(tcp, option::urgent_inline, on);
        expect_kept(tcp, option::reuse_address, on);
    }
    expect_kept(tcp, option::keep_idle, 90s);
    expect_kept(tcp, option::keep_idle, 2min);
    expect_kept(tcp, option::keep_interval, 7s);
    expect_kept(tcp, option::keep_count, 3);
    expect_kept(tcp, option::user_timeout, 1500ms);
    expect_kept(tcp, option::ttl, 5);
    expect_kept(tcp, option::linger, 0s);
    expect_kept(tcp, option::linger, std::nullopt);
    EXPECT_GE((tcp.set(option::receive_buffer, 50'000), tcp.get(option::receive_buffer)), 50'000);
    EXPECT_GE((tcp.set(option::send_buffer, 50'000), tcp.get(option::send_buffer)), 50'000);
}

TEST(SocketOptions, OfListeners) {
    auto listener = tcp_listener::listen("127.0.0.1:0");
    EXPECT_TRUE(listener.get(option::reuse_address));
    EXPECT_FALSE(listener.get(option::reuse_port));
    listener.set(option::keep_alive, true);
    auto client = tendril::net::tcp_stream::connect(listener.local());
    EXPECT_TRUE(listener.accept().get(option::keep_alive)) << "connections inherit it, tcp(7)";
}

TEST(SocketOptions, LingerResetsTheConnection) {
    stream_pair pair;
    pair.client.set(option::linger, 0s);
    pair.client.close();
    char byte;
    EXPECT_EQ(ECONNRESET, error_of([&] { pair.server.read_some(&byte, 1); }).code().value());
}

TEST(SocketOptions, OfUdpInBothFamilies) {
    for (const auto family : {dns::family::ipv4, dns::family::ipv6}) {
        auto udp = udp_socket::open(family);
        expect_kept(udp, option::ttl, 9);
        expect_kept(udp, option::multicast_ttl, 3);
        expect_kept(udp, option::multicast_loop, false);
        udp.set(option::multicast_interface, "lo");
        udp.set(option::multicast_interface, "");
        expect_kept(udp, option::broadcast, true);
    }
    auto v6 = udp_socket::open(dns::family::ipv6);
    expect_kept(v6, option::multicast_interface, "lo");
    expect_kept(v6, option::multicast_interface, "");
    auto v4 = udp_socket::open(dns::family::ipv4);
    EXPECT_EQ(EOPNOTSUPP, error_of([&] { v4.get(option::multicast_interface); }).code().value());
}

TEST(SocketOptions, OfUnixSockets) {
    auto [a, b] = unix_stream::pair();
    EXPECT_GE((a.set(option::send_buffer, 50'000), a.get(option::send_buffer)), 50'000);
}

TEST(SocketOptions, OfTheProgramsOwn) {
    constexpr tendril::net::socket_option<int> low_mark{{"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT}};
    stream_pair pair;
    expect_kept(pair.client, low_mark, 2);
}

// ---------------------------------------------------------------------------------------- trouble

template <typename Socket, typename Option>
void expect_refused(Socket& socket, const Option& which, const typename Option::value_type& value,
                    int error, const std::string& text) {
    const auto thrown = error_of([&] { socket.set(which, value); });
    EXPECT_EQ(error, thrown.code().value()) << text;
    EXPECT_EQ("set " + text + ": " + std::system_category().message(error),
              std::string(thrown.what()));
}

TEST(SocketOptionErrors, NameTheOptionAndTheSocket) {
    auto unix_socket = unix_datagram::bind({});
    const std::string name = unix_socket.local().text();
    expect_refused(unix_socket, option::no_delay, true, EOPNOTSUPP, "TCP_NODELAY of " + name);
    expect_refused(unix_socket, option::ttl, 1, EOPNOTSUPP, "IP_TTL of " + name);
    EXPECT_EQ("get TCP_KEEPIDLE of " + name + ": Operation not supported",
              std::string(error_of([&] { unix_socket.get(option::keep_idle); }).what()));

    auto udp = udp_socket::bind("127.0.0.1:0");
    expect_refused(udp, option::no_delay, true, ENOPROTOOPT,
                   "TCP_NODELAY of " + udp.local().text());
    auto v6 = udp_socket::open(dns::family::ipv6);
    expect_refused(v6, option::multicast_ttl, 300, EINVAL, "IPV6_MULTICAST_HOPS of [::]:0");
}

TEST(SocketOptionErrors, ValuesOutOfRange) {
    stream_pair pair;
    auto& tcp = pair.client;
    const std::string peer = tcp.remote().text();
    expect_refused(tcp, option::keep_idle, 0s, EINVAL, "TCP_KEEPIDLE of " + peer);
    expect_refused(tcp, option::keep_idle, -1s, EINVAL, "TCP_KEEPIDLE of " + peer);
    expect_refused(tcp, option::keep_idle, std::chrono::seconds::max(), EINVAL,
                   "TCP_KEEPIDLE of " + peer);
    expect_refused(tcp, option::user_timeout, std::chrono::milliseconds::max(), EINVAL,
                   "TCP_USER_TIMEOUT of " + peer);
    expect_refused(tcp, option::linger, -1s, EINVAL, "SO_LINGER of " + peer);
    auto udp = udp_socket::open(dns::family::ipv4);
    expect_refused(udp, option::multicast_interface, "no_such_if", ENODEV,
                   "IP_MULTICAST_IF of 0.0.0.0:0");
}

TEST(SocketOptionErrors, OfNoSocket) {
    tendril::net::tcp_stream none;
    expect_refused(none, option::keep_alive, true, EBADF, "SO_KEEPALIVE");
    EXPECT_EQ(EBADF, error_of([&] { none.get(option::linger); }).code().value());
}

} // namespace
