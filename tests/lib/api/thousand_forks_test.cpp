// SPDX-License-Identifier: BSL-1.0
// A thousand forks in fibers while others do I/O, sleep and look names up: the children work, the
// parent notices nothing, and nothing is left behind.
#include "io/operations.hpp"
#include "lib/dns/resolve_fixture.hpp"
#include "support/leaks.hpp"
#include "support/open_fds.hpp"
#include "support/sockets.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <sys/wait.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace tendril_test {
namespace {

using namespace std::chrono_literals;
using tendril_test::open_fds;
using namespace tendril::test;
namespace io = tendril::detail::io;

#ifdef TENDRIL_ASAN
constexpr int forks_each = 25; // a fork copies the shadow's page tables
#else
constexpr int forks_each = 125;
#endif
constexpr int forkers = 8;

/// What a child does: fibers of its own, on fds of its own. 0: all went well.
int work_in_child() {
    const fd_pair own = unix_pair();
    auto reader = tendril::spawn([fd = static_cast<int>(own.a)] {
        io::options o;
        char c = 0;
        return io::read(fd, &c, 1, o) == 1 ? c : '\0';
    });
    tendril::this_fiber::sleep_for(50us);
    io::options o;
    const bool wrote = io::write(own.b, "y", 1, o) == 1;
    return wrote && reader.get() == 'y' ? 0 : 1;
}

/// -1: the child did not end well.
int fork_once() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(60); // one that hangs fails
        ::_exit(work_in_child());
    }
    int status = 0;
    pid_t done = 0;
    while ((done = ::waitpid(child, &status, WNOHANG)) == 0) {
        tendril::this_fiber::sleep_for(100us);
    }
    return done == child && status == 0 ? 0 : -1;
}

/// Numbers there and back over TCP; a byte that a child took or sent would be missed.
std::uint64_t count_back_and_forth(const bool& stop) {
    const fd_pair pair = tcp_pair();
    auto echo = tendril::spawn([fd = static_cast<int>(pair.b)] {
        io::options o;
        std::uint64_t n = 0;
        while (io::recv(fd, &n, sizeof n, MSG_WAITALL, o) == sizeof n) {
            io::write(fd, &n, sizeof n, o);
        }
    });
    std::uint64_t sent = 0;
    bool right = true;
    while (!stop && right) {
        io::options o;
        std::uint64_t back = 0;
        ++sent;
        right = io::write(pair.a, &sent, sizeof sent, o) == sizeof sent &&
                io::recv(pair.a, &back, sizeof back, MSG_WAITALL, o) == sizeof back && back == sent;
        if (sent % 16 == 0) {
            tendril::this_fiber::sleep_for(20us);
        }
    }
    ::shutdown(pair.a, SHUT_RDWR);
    echo.join();
    return right ? sent : 0;
}

TEST_F(resolve, goes_on_beside_a_thousand_forks) {
    dns::resolve("both.test", "80", plain);
    const int fds = open_fds();
    bool stop = false;
    std::vector<tendril::fiber<std::uint64_t>> load;
    for (int i = 0; i < 4; ++i) {
        load.push_back(tendril::spawn([&] { return count_back_and_forth(stop); }));
    }
    load.push_back(tendril::spawn([&] {
        std::uint64_t n = 0;
        for (; !stop; ++n) {
            tendril::this_fiber::sleep_for(std::chrono::microseconds(n % 500));
        }
        return n;
    }));
    for (int i = 0; i < 2; ++i) {
        load.push_back(tendril::spawn([&] {
            std::uint64_t n = 0;
            for (; !stop; ++n) {
                EXPECT_EQ(texts(dns::resolve("both.test", "80", plain)),
                          (strings{"192.0.2.1:80", "[2001:db8::1]:80"}));
                tendril::this_fiber::sleep_for(200us);
            }
            return n;
        }));
    }
    const fd_pair quiet = tcp_pair();
    auto waiter = tendril::spawn([&] {
        io::options o;
        char c = 0;
        return io::read(quiet.a, &c, 1, o) == 1 ? c : '\0';
    });
    std::vector<tendril::fiber<int>> all;
    for (int i = 0; i < forkers; ++i) {
        all.push_back(tendril::spawn([] {
            int bad = 0;
            for (int n = 0; n < forks_each; ++n) {
                bad += fork_once() == 0 ? 0 : 1;
            }
            return bad;
        }));
    }
    for (auto& f : all) {
        EXPECT_EQ(f.get(), 0);
    }
    // Registered before all of them.
    EXPECT_FALSE(waiter.ready());
    io::options o;
    EXPECT_EQ(io::write(quiet.b, "x", 1, o), 1);
    EXPECT_EQ(waiter.get(), 'x');
    stop = true;
    for (auto& f : load) {
        EXPECT_GT(f.get(), 0u);
    }
    tendril::hub::current().drain();
    EXPECT_EQ(tendril::hub::current().statistics().live, 0u);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    EXPECT_LE(open_fds(),
              fds + 4); // quiet's, the timer of verifications, a channel of the resolver
}

} // namespace
} // namespace tendril_test
