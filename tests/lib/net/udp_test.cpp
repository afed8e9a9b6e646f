// SPDX-License-Identifier: BSL-1.0
#include "lib/net/net_support.hpp"

#include <tendril/fiber.hpp>
#include <tendril/udp.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::net::transfer_error;
using tendril::net::udp_socket;
namespace dns = tendril::dns;
namespace option = tendril::net::option;

static_assert(!std::is_copy_constructible_v<udp_socket> &&
              std::is_nothrow_move_constructible_v<udp_socket>);

udp_socket bound() {
    return udp_socket::bind("127.0.0.1:0");
}

dns::address address_of(const udp_socket& socket) {
    const auto at = socket.local();
    return dns::resolve(at.host(), at.service()).addresses.front();
}

std::string received(udp_socket& socket) {
    char buffer[2048];
    return {buffer, socket.receive(buffer, sizeof buffer)};
}

TEST(Udp, CarriesDatagramsAndTellsWhoSentThem) {
    auto a = bound();
    auto b = bound();
    auto echo = tendril::spawn([&] {
        char buffer[64];
        const auto got = b.receive_from(buffer, sizeof buffer);
        EXPECT_FALSE(got.truncated());
        EXPECT_EQ(address_of(a), got.from);
        b.send_to(std::string_view(buffer, got.size), got.from);
    });
    tendril::this_fiber::yield();
    a.send_to("hello", address_of(b));
    EXPECT_EQ("hello", received(a));
    echo.get();
}

TEST(Udp, TakesEndpoints) {
    auto a = udp_socket::open(dns::family::ipv4);
    auto b = bound();
    a.send_to("text", b.local().text());
    EXPECT_EQ("text", received(b));
    const auto error = error_of([&] { a.send_to("x", "[::1]:1"); });
    EXPECT_EQ(dns::error_category(), error.code().category()) << error.what();
}

TEST(Udp, KeepsDatagramsApartAlsoEmptyOnes) {
    auto a = bound();
    auto b = udp_socket::connect(a.local());
    b.send("one");
    b.send("");
    b.send("three");
    EXPECT_EQ("one", received(a));
    EXPECT_EQ("", received(a));
    EXPECT_EQ("three", received(a));
}

TEST(Udp, SpeaksIpv4OnAnIpv6Socket) {
    auto a = bound();
    auto b = udp_socket::open();
    b.send_to("four", address_of(a));
    EXPECT_EQ("four", received(a));
    b.send_to("by name", a.local());
    EXPECT_EQ("by name", received(a));
}

TEST(Udp, ListensOnEveryAddress) {
    auto all = udp_socket::bind(":0");
    auto a = udp_socket::open(dns::family::ipv4);
    a.send_to("hello", "127.0.0.1:" + all.local().service());
    EXPECT_EQ("hello", received(all));
}

TEST(Udp, HearsOnlyItsPeerWhenConnected) {
    auto a = bound();
    auto peer = bound();
    auto other = bound();
    a.connect_to(address_of(peer));
    EXPECT_EQ(peer.local(), a.remote());
    other.send_to("from another", address_of(a));
    peer.send_to("from the peer", address_of(a));
    EXPECT_EQ("from the peer", received(a));
    a.disconnect();
    EXPECT_EQ("", a.remote().host());
    a.send_to("to another", address_of(other));
    EXPECT_EQ("to another", received(other));
}

TEST(Udp, EveryReceiverGetsOne) {
    auto a = bound();
    std::vector<tendril::fiber<std::string>> receivers;
    for (int i = 0; i < 5; ++i) {
        receivers.push_back(tendril::spawn([&] { return received(a); }));
    }
    tendril::this_fiber::yield();
    auto b = udp_socket::connect(a.local());
    for (const char* text : {"1", "2", "3", "4", "5"}) {
        b.send(text);
    }
    std::string all;
    for (auto& each : receivers) {
        all += each.get();
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ("12345", all);
}

// ---------------------------------------------------------------------------------------- trouble

TEST(UdpErrors, TellsWhatDidNotFit) {
    auto a = bound();
    auto b = udp_socket::connect(a.local());
    char buffer[4];
    b.send("too long");
    const auto got = a.receive_from(buffer, sizeof buffer);
    EXPECT_TRUE(got.truncated());
    EXPECT_EQ(4u, got.size);
    EXPECT_EQ(8u, got.full_size);
    EXPECT_EQ("too ", std::string(buffer, 4));

    b.send("too long");
    try {
        a.receive(buffer, sizeof buffer);
        FAIL();
    } catch (const transfer_error& e) {
        EXPECT_EQ(EMSGSIZE, e.code().value());
        EXPECT_EQ(4u, e.transferred());
        EXPECT_EQ("receive " + a.local().text() + ": Message too long", std::string(e.what()));
    }
}

TEST(UdpErrors, RefusesOversizedDatagrams) {
    auto a = bound();
    auto b = bound();
    const std::string much(65508, 'x');
    const auto error = error_of([&] { a.send_to(much, address_of(b)); });
    EXPECT_EQ(EMSGSIZE, error.code().value());
    EXPECT_EQ("send to " + b.local().text() + ": Message too long", std::string(error.what()));
    a.send_to(much.substr(1), address_of(b));
    std::string got(65507, '\0');
    EXPECT_EQ(65507u, b.receive(got.data(), got.size()));
}

TEST(UdpErrors, ConnectedOneLearnsThatNobodyIsThere) {
    auto gone = bound();
    auto a = udp_socket::connect(gone.local());
    const std::string peer = gone.local().text();
    gone.close();
    a.send("anybody?");
    char byte;
    const auto error = error_of([&] { a.receive(&byte, 1); });
    EXPECT_EQ(ECONNREFUSED, error.code().value());
    EXPECT_EQ("receive " + peer + ": Connection refused", std::string(error.what()));
    a.send("the error was told once");
    EXPECT_EQ(ECONNREFUSED, error_of([&] { a.send("and may come by sending"); }).code().value());
}

TEST(UdpErrors, GivesUpAtTheDeadline) {
    auto a = bound();
    char byte;
    const auto error = error_of([&] { a.receive(&byte, 1, 5ms); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
    EXPECT_EQ(ETIMEDOUT, error_of([&] { a.receive_from(&byte, 1, 0s); }).code().value());
    a.set_timeout(5ms);
    EXPECT_EQ(ETIMEDOUT, error_of([&] { a.receive(&byte, 1); }).code().value());
}

TEST(UdpErrors, CloseUnderAReceiver) {
    auto a = bound();
    auto receiver = tendril::spawn([&] { received(a); });
    tendril::this_fiber::yield();
    a.close();
    EXPECT_EQ(EBADF, error_of([&] { receiver.get(); }).code().value());
}

TEST(UdpErrors, NoSocketOrNoPeer) {
    udp_socket none;
    char byte;
    EXPECT_STREQ("receive: Bad file descriptor", error_of([&] { none.receive(&byte, 1); }).what());
    EXPECT_EQ(EBADF, error_of([&] { (void)none.local(); }).code().value());
    auto a = bound();
    EXPECT_EQ(EDESTADDRREQ, error_of([&] { a.send("to whom?"); }).code().value());
    auto v4 = udp_socket::open(dns::family::ipv4);
    const auto v6 = dns::resolve("::1", "9").addresses.front();
    EXPECT_EQ(EAFNOSUPPORT, error_of([&] { v4.send_to("x", v6); }).code().value());
    EXPECT_EQ(EAFNOSUPPORT, error_of([&] { v4.connect_to(v6); }).code().value());
}

TEST(UdpErrors, SaysWhatIsInUseAndWhatIsNotOurs) {
    auto a = bound();
    const auto error = error_of([&] { udp_socket::bind(a.local()); });
    EXPECT_EQ(EADDRINUSE, error.code().value());
    EXPECT_EQ("bind " + a.local().text() + ": Address already in use", std::string(error.what()));
    EXPECT_EQ(EADDRNOTAVAIL, error_of([] { udp_socket::bind("192.0.2.1:0"); }).code().value());
}

TEST(UdpErrors, AdoptsOnlyUdp) {
    const plain_socket tcp("127.0.0.1");
    EXPECT_EQ(EPROTOTYPE, error_of([&] { udp_socket::adopt(tcp.fd()); }).code().value());
    EXPECT_EQ(EBADF, error_of([] { udp_socket::adopt(-1); }).code().value());
    auto a = udp_socket::adopt(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); // a blocking one
    EXPECT_EQ(ETIMEDOUT, error_of([&] { a.receive(nullptr, 0, 1ms); }).code().value());
}

// -------------------------------------------------------------------------- one to many receivers

constexpr const char* group = "239.255.77.77";

TEST(Multicast, ReachesEveryMember) {
    tendril::net::udp_options shared;
    shared.reuse_address = true;
    auto first = udp_socket::bind("239.255.77.77:0", shared);
    auto second = udp_socket::bind(first.local(), shared);
    const auto to = address_of(first);
    for (auto* member : {&first, &second}) {
        member->join_group(to, "lo");
    }
    auto sender = udp_socket::open(dns::family::ipv4);
    sender.set(option::multicast_interface, "lo");
    sender.send_to("all", to);
    EXPECT_EQ("all", received(first));
    EXPECT_EQ("all", received(second));

    second.leave_group(to, "lo");
    EXPECT_EQ("leave 239.255.77.77 on lo: Cannot assign requested address",
              std::string(error_of([&] { second.leave_group(to, "lo"); }).what()));
    sender.send_to("the rest", to);
    EXPECT_EQ("the rest", received(first));
}

TEST(Multicast, SaysWhyOneCannotJoin) {
    auto a = udp_socket::open(dns::family::ipv4);
    const auto to = dns::resolve(group).addresses.front();
    const auto alone = dns::resolve("127.0.0.1").addresses.front();
    EXPECT_EQ(EINVAL, error_of([&] { a.join_group(alone, "lo"); }).code().value());
    const auto error = error_of([&] { a.join_group(to, "no_such_if"); });
    EXPECT_EQ(ENODEV, error.code().value());
    EXPECT_EQ("join 239.255.77.77 on no_such_if: No such device", std::string(error.what()));
    a.join_group(to, "lo");
    EXPECT_EQ(EADDRINUSE, error_of([&] { a.join_group(to, "lo"); }).code().value());
}

TEST(Multicast, RunsOutOfGroups) {
    int most = 0;
    std::ifstream("/proc/sys/net/ipv4/igmp_max_memberships") >> most;
    if (most < 1 || most > 250) {
        GTEST_SKIP() << "igmp_max_memberships is " << most;
    }
    auto a = udp_socket::open(dns::family::ipv4);
    const auto nth = [](int i) {
        return dns::resolve("239.255.76." + std::to_string(i)).addresses.front();
    };
    for (int i = 1; i <= most; ++i) {
        a.join_group(nth(i), "lo");
    }
    EXPECT_EQ(ENOBUFS, error_of([&] { a.join_group(nth(most + 1), "lo"); }).code().value());
}

TEST(Broadcast, NeedsItsOption) {
    auto a = udp_socket::open(dns::family::ipv4);
    auto b = udp_socket::bind(":0");
    const auto to = dns::resolve("127.255.255.255", b.local().service()).addresses.front();
    EXPECT_EQ(EACCES, error_of([&] { a.send_to("x", to); }).code().value());
    a.set(option::broadcast, true);
    a.send_to("to all", to);
    EXPECT_EQ("to all", received(b));
}

} // namespace
