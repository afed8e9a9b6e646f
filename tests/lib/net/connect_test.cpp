// SPDX-License-Identifier: BSL-1.0
#include "lib/net/net_support.hpp"
#include "support/dns_server.hpp"
#include "support/leaks.hpp"

#include <tendril/fiber.hpp>

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <netdb.h>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::net::tcp_listener;
using tendril::net::tcp_stream;

TEST(Connect, GivesTheEndsTheirAddresses) {
    auto listener = tcp_listener::listen("127.0.0.1:0");
    const auto client = tcp_stream::connect(listener.local());
    const auto server = listener.accept();
    EXPECT_EQ(listener.local(), client.remote());
    EXPECT_EQ(client.local(), server.remote());
    EXPECT_EQ(server.local(), client.remote());
}

TEST(Connect, MakesSocketsThatNeitherBlockNorAreInherited) {
    const stream_pair pair;
    for (const int fd : {pair.client.native_handle(), pair.server.native_handle()}) {
        EXPECT_NE(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
        EXPECT_NE(0, fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    EXPECT_TRUE(pair.client.no_delay());
    EXPECT_TRUE(pair.server.no_delay());
}

TEST(Connect, SpeaksIpv6) {
    tcp_listener listener;
    try {
        listener = tcp_listener::listen("[::1]:0");
    } catch (const std::system_error& e) {
        GTEST_SKIP() << e.what();
    }
    const auto client = tcp_stream::connect(listener.local());
    const auto server = listener.accept();
    EXPECT_EQ("[::1]:" + std::to_string(listener.local().port()), client.remote().text());
    EXPECT_EQ(client.local().text(), server.remote().text());
}

TEST(Connect, SaysWhoRefused) {
    const plain_socket closed("127.0.0.1");
    const auto error = error_of([&] { tcp_stream::connect(closed.text()); });
    EXPECT_EQ(std::error_code(ECONNREFUSED, std::system_category()), error.code());
    EXPECT_EQ("connect " + closed.text() + ": Connection refused", std::string(error.what()));
}

TEST(Connect, SaysWhatIsUnreachable) {
    // tcp_v4_connect refuses multicast addresses; without any route the errno is the same.
    const auto error = error_of([] { tcp_stream::connect("224.0.0.1:80"); });
    EXPECT_EQ(ENETUNREACH, error.code().value());
    EXPECT_STREQ("connect 224.0.0.1:80: Network is unreachable", error.what());
}

TEST(Connect, GivesUpAtTheDeadline) {
    plain_socket silent("127.0.0.1");
    silent.listen_full();
    bool others_ran = false;
    auto other = tendril::spawn([&] { others_ran = true; });
    const auto before = std::chrono::steady_clock::now();
    const auto error = error_of([&] { tcp_stream::connect(silent.text(), 50ms); });
    EXPECT_GE(std::chrono::steady_clock::now() - before, 50ms);
    EXPECT_EQ("connect " + silent.text() + ": Connection timed out", std::string(error.what()));
    EXPECT_TRUE(others_ran);
}

TEST(Connect, TriesOnceAfterTheDeadline) {
    plain_socket silent("127.0.0.1");
    silent.listen_full();
    const auto error = error_of([&] { tcp_stream::connect(silent.text(), 0s); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
}

TEST(Connect, RefusesTextThatIsNoEndpoint) {
    EXPECT_THROW(tcp_stream::connect("localhost"), std::invalid_argument);
}

// ------------------------------------------------------------------------------------------ names

class ConnectByName : public testing::Test {
protected:
    // One server for all: the setting is read once.
    static void SetUpTestSuite() {
        static const dns_server server(
            [zone = dns_zone()
                        .address("two.test", "127.0.0.1")
                        .address("two.test", "127.0.0.2")
                        .address("one.test", "127.0.0.1")](const dns_question& question) {
                dns_answer a = zone(question);
                a.silent = question.lower() == "silent.test";
                return a;
            });
        setenv("TENDRIL_NAMESERVERS", server.endpoint().c_str(), 1);
    }
};

TEST_F(ConnectByName, TakesTheNextAddressWhenOneRefuses) {
    two_hosts hosts;
    plain_socket& second = *hosts.second;
    second.listen(1);
    const auto stream = tcp_stream::connect("two.test:" + std::to_string(second.port()));
    EXPECT_EQ(second.text(), stream.remote().text());
}

TEST_F(ConnectByName, SaysWhatItTried) {
    two_hosts hosts;
    plain_socket& second = *hosts.second;
    const std::string port = std::to_string(second.port());
    const auto error = error_of([&] { tcp_stream::connect("two.test:" + port); });
    EXPECT_EQ(ECONNREFUSED, error.code().value());
    EXPECT_EQ("connect two.test:" + port + " (127.0.0.1:" + port +
                  ": Connection refused; 127.0.0.2:" + port + "): Connection refused",
              std::string(error.what()));
}

TEST_F(ConnectByName, SaysWhichAddressTheOnlyOneIs) {
    const plain_socket closed("127.0.0.1");
    const std::string port = std::to_string(closed.port());
    const auto error = error_of([&] { tcp_stream::connect("one.test:" + port); });
    EXPECT_EQ("connect one.test:" + port + " (127.0.0.1:" + port + "): Connection refused",
              std::string(error.what()));
}

TEST_F(ConnectByName, LeavesTimeForTheNextAddress) {
    two_hosts hosts;
    plain_socket& second = *hosts.second;
    plain_socket& first = *hosts.first;
    first.listen_full(); // never answers, and must not use up the time of the second one
    second.listen(1);
    const auto stream = tcp_stream::connect("two.test:" + std::to_string(second.port()), 3s);
    EXPECT_EQ(second.text(), stream.remote().text());
}

TEST_F(ConnectByName, SaysThatThereIsNoSuchName) {
    const auto error = error_of([] { tcp_stream::connect("nobody.test:80"); });
    EXPECT_EQ(std::error_code(EAI_NONAME, tendril::dns::error_category()), error.code());
    EXPECT_STREQ("connect nobody.test:80: Name or service not known", error.what());
}

TEST_F(ConnectByName, LimitsTheLookUpToo) {
    tendril::detail::leave_leaks_unchecked(); // the question stays open when the process ends
    const auto error = error_of([] { tcp_stream::connect("silent.test:80", 50ms); });
    EXPECT_EQ(std::error_code(ETIMEDOUT, std::system_category()), error.code());
    EXPECT_STREQ("connect silent.test:80: Connection timed out", error.what());
}

} // namespace
