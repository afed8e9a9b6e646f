// SPDX-License-Identifier: BSL-1.0
#include "lib/net/net_support.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <chrono>
#include <cstdio>
#include <sys/resource.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::net::listen_options;
using tendril::net::tcp_listener;
using tendril::net::tcp_stream;

TEST(Listener, TakesAFreePort) {
    const auto listener = tcp_listener::listen("127.0.0.1:0");
    EXPECT_EQ("127.0.0.1", listener.local().host());
    EXPECT_NE(0, listener.local().port());
}

TEST(Listener, ListensOnEveryAddress) {
    auto listener = tcp_listener::listen(":0");
    const std::string port = std::to_string(listener.local().port());
    const auto client = tcp_stream::connect("127.0.0.1:" + port);
    const auto server = listener.accept();
    EXPECT_EQ(client.local().port(), server.remote().port());
}

TEST(Listener, KeepsToIpv6IfToldTo) {
    listen_options only;
    only.ipv6_only = true;
    int tries = 20; // another process may have that port of IPv4, but not each time
    for (bool has_both = false; !has_both && tries != 0; --tries) {
        tcp_listener listener;
        try {
            listener = tcp_listener::listen("[::]:0", only);
        } catch (const std::system_error& e) {
            GTEST_SKIP() << e.what();
        }
        const auto port = listener.local().port();
        try {
            const plain_socket same_port("127.0.0.1", port); // would be taken otherwise
            has_both = same_port.port() == port;
        } catch (const std::system_error& e) {
            EXPECT_EQ(e.code().value(), EADDRINUSE) << e.what();
        }
    }
    EXPECT_NE(tries, 0) << "its port is always taken";
}

TEST(Listener, SaysWhatIsInUse) {
    const auto first = tcp_listener::listen("127.0.0.1:0");
    const std::string at = first.local().text();
    EXPECT_EQ("listen " + at + ": Address already in use",
              std::string(error_of([&] { tcp_listener::listen(at); }).what()));
}

TEST(Listener, SharesItsPortIfBothAgree) {
    listen_options shared;
    shared.reuse_port = true;
    const auto first = tcp_listener::listen("127.0.0.1:0", shared);
    const auto second = tcp_listener::listen(first.local(), shared);
    EXPECT_EQ(first.local(), second.local());
}

TEST(Listener, SaysWhichAddressIsNotOurs) {
    EXPECT_STREQ("listen 192.0.2.1:80: Cannot assign requested address",
                 error_of([] { tcp_listener::listen("192.0.2.1:80"); }).what());
}

TEST(Accept, GivesUpAtTheDeadline) {
    auto listener = tcp_listener::listen("127.0.0.1:0");
    const auto error = error_of([&] { listener.accept(10ms); });
    EXPECT_EQ("accept " + listener.local().text() + ": Connection timed out",
              std::string(error.what()));
}

TEST(Accept, EndsWhenTheListenerIsClosed) {
    auto listener = tcp_listener::listen("127.0.0.1:0");
    std::vector<tendril::fiber<void>> acceptors;
    for (int i = 0; i < 3; ++i) {
        acceptors.push_back(tendril::spawn([&] { listener.accept(); }));
    }
    tendril::this_fiber::yield();
    listener.close();
    for (auto& each : acceptors) {
        EXPECT_STREQ("accept: Bad file descriptor", error_of([&] { each.get(); }).what());
    }
}

TEST(Accept, EveryAcceptorGetsAConnection) {
    auto listener = tcp_listener::listen("127.0.0.1:0");
    std::vector<tendril::fiber<tcp_stream>> acceptors;
    for (int i = 0; i < 3; ++i) {
        acceptors.push_back(tendril::spawn([&] { return listener.accept(); }));
    }
    tendril::this_fiber::yield();
    std::vector<tcp_stream> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(tcp_stream::connect(listener.local()));
    }
    for (auto& each : acceptors) {
        EXPECT_TRUE(each.get());
    }
}

TEST(Accept, SurvivesConnectionsThatBrokeInTheQueue) {
    auto listener = tcp_listener::listen("127.0.0.1:0");
    {
        const auto gone = tcp_stream::connect(listener.local());
        const linger now{1, 0};
        setsockopt(gone.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    const auto good = tcp_stream::connect(listener.local());
    // Linux hands over a connection that was reset meanwhile; other systems drop it.
    auto accepted = listener.accept();
    if (accepted.remote() != good.local()) {
        accepted = listener.accept();
    }
    EXPECT_EQ(good.local(), accepted.remote());
}

// ------------------------------------------------------------------------------------ no fd left
// In a child, because the limit is the whole process's.

class no_fd_left {
public:
    no_fd_left() {
        listener = tcp_listener::listen("127.0.0.1:0");
        spare = tcp_stream::connect(listener.local());
        accepted = listener.accept();
        pending = tcp_stream::connect(listener.local());
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 64;
        setrlimit(RLIMIT_NOFILE, &limit);
        for (int fd; (fd = dup(0)) >= 0;) {
            taken.push_back(fd);
        }
    }

    tcp_listener listener;
    tcp_stream spare, accepted, pending;
    std::vector<int> taken;
};

[[noreturn]] void finish(bool success) {
    std::fflush(nullptr);
    _exit(success ? 0 : 1);
}

void outlive_the_shortage() {
    no_fd_left process;
    const auto hub = tendril::hub::current();
    auto acceptor = tendril::spawn([&] { return process.listener.accept(); });
    tendril::this_fiber::sleep_for(50ms);
    const bool waits = !acceptor.ready();
    const auto tries = hub.statistics().waits.accept; // after 1, 2, 4… ms: few; a spin: thousands
    process.spare.close();
    const auto stream = acceptor.get();
    std::fprintf(stderr, "waited %d, in %llu steps, and got %d\n", waits,
                 static_cast<unsigned long long>(tries), static_cast<bool>(stream));
    finish(waits && tries < 100 && stream);
}

void find_an_fd_that_others_closed() {
    no_fd_left process;
    auto acceptor = tendril::spawn([&] { return process.listener.accept(); });
    tendril::this_fiber::yield();
    ::close(process.taken.back());
    finish(static_cast<bool>(acceptor.get()));
}

void end_when_closed_meanwhile() {
    no_fd_left process;
    auto acceptor = tendril::spawn([&] { process.listener.accept(); });
    tendril::this_fiber::yield();
    process.listener.close();
    try {
        acceptor.get();
    } catch (const std::system_error& e) {
        finish(e.code().value() == EBADF);
    }
    finish(false);
}

void tell_at_the_deadline() {
    no_fd_left process;
    try {
        process.listener.accept(20ms);
    } catch (const std::system_error& e) {
        std::fprintf(stderr, "%s\n", e.what());
        finish(e.code().value() == EMFILE);
    }
    finish(false);
}

class AcceptWithoutFds : public testing::Test {
protected:
    // The child starts afresh: it has no hub, nor anything else, of this process.
    AcceptWithoutFds() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_F(AcceptWithoutFds, OutlivesTheShortage) {
    EXPECT_EXIT(outlive_the_shortage(), testing::ExitedWithCode(0), "waited 1");
}

TEST_F(AcceptWithoutFds, FindsAnFdThatOthersClosed) {
    EXPECT_EXIT(find_an_fd_that_others_closed(), testing::ExitedWithCode(0), "");
}

TEST_F(AcceptWithoutFds, EndsWhenTheListenerIsClosedMeanwhile) {
    EXPECT_EXIT(end_when_closed_meanwhile(), testing::ExitedWithCode(0), "");
}

TEST_F(AcceptWithoutFds, TellsAtTheDeadline) {
    EXPECT_EXIT(tell_at_the_deadline(), testing::ExitedWithCode(0), "Too many open files");
}

} // namespace
