// SPDX-License-Identifier: BSL-1.0
// Plain libc calls from Boost.Fiber's fibers, with the shim preloaded: each parks its fiber alone.
#include <tendril/boost_fiber.hpp>
#include <tendril/fiber.hpp>
#include <tendril/timeout.hpp>

#include "support/boost_guests.hpp"

#include <boost/fiber/all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;

void join_all(std::vector<bf::fiber>& fibers) {
    for (auto& f : fibers) {
        f.join();
    }
}

TEST(BoostFiberShim, ReadParksOneFiber) {
    with_guests([] {
        std::array<int, 2> there{}, back{};
        ASSERT_EQ(::pipe(there.data()), 0);
        ASSERT_EQ(::pipe(back.data()), 0);
        bool hub_fiber_ran = false;
        std::vector<bf::fiber> fibers;
        fibers.emplace_back([&] { // would block the thread for ever, were it alone in waiting
            char c = 0;
            ASSERT_EQ(::read(there[0], &c, 1), 1);
            ++c;
            ASSERT_EQ(::write(back[1], &c, 1), 1);
        });
        fibers.emplace_back([&] {
            boost::this_fiber::yield();
            ASSERT_EQ(::write(there[1], "a", 1), 1);
            char c = 0;
            ASSERT_EQ(::read(back[0], &c, 1), 1);
            EXPECT_EQ(c, 'b');
        });
        auto hub_fiber = tendril::spawn([&] { hub_fiber_ran = true; });
        join_all(fibers);
        hub_fiber.join();
        EXPECT_TRUE(hub_fiber_ran);
        for (const int fd : {there[0], there[1], back[0], back[1]}) {
            ::close(fd);
        }
    });
}

TEST(BoostFiberShim, SleepsSideBySide) {
    with_guests([] {
        int asleep = 0;
        const auto sleep_with_all = [&asleep] { // again and again, until all do
            ++asleep;
            do {
                const timespec time{0, 500'000};
                EXPECT_EQ(::nanosleep(&time, nullptr), 0);
            } while (asleep != 4);
        };
        std::vector<bf::fiber> fibers;
        fibers.emplace_back(sleep_with_all);
        fibers.emplace_back(sleep_with_all);
        auto hub_fiber = tendril::spawn(sleep_with_all);
        sleep_with_all();
        join_all(fibers);
        hub_fiber.join();
    });
}

TEST(BoostFiberShim, ManySocketsAtOnce) {
    with_guests([] {
        const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        const auto address = reinterpret_cast<sockaddr*>(&at);
        ASSERT_EQ(::bind(listener, address, size), 0);
        ASSERT_EQ(::listen(listener, 100), 0);
        ASSERT_EQ(::getsockname(listener, address, &size), 0);
        constexpr int count = 50;
        std::vector<bf::fiber> fibers;
        fibers.emplace_back([&] {
            std::vector<int> peers; // no answer before all have come
            for (int i = 0; i < count; ++i) {
                peers.push_back(::accept(listener, nullptr, nullptr));
            }
            for (const int fd : peers) {
                EXPECT_EQ(::send(fd, "x", 1, 0), 1);
                ::close(fd);
            }
        });
        for (int i = 0; i < count; ++i) {
            fibers.emplace_back([&] {
                const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
                EXPECT_EQ(::connect(fd, address, size), 0);
                pollfd readable{fd, POLLIN, 0};
                EXPECT_EQ(::poll(&readable, 1, -1), 1);
                char c = 0;
                EXPECT_EQ(::recv(fd, &c, 1, 0), 1);
                ::close(fd);
            });
        }
        join_all(fibers);
        ::close(listener);
    });
}

TEST(BoostFiberShim, LooksUpNames) {
    with_guests([] {
        std::vector<bf::fiber> fibers;
        for (const char* name : {"localhost", "127.0.0.1"}) {
            fibers.emplace_back([name] {
                addrinfo hints{};
                hints.ai_family = AF_INET;
                hints.ai_socktype = SOCK_STREAM;
                addrinfo* found = nullptr;
                ASSERT_EQ(::getaddrinfo(name, "80", &hints, &found), 0);
                const auto* const first = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
                EXPECT_EQ(first->sin_port, htons(80));
                EXPECT_EQ(first->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
                ::freeaddrinfo(found);
            });
        }
        join_all(fibers);
    });
}

TEST(BoostFiberShim, TimeoutsReachLegacyCalls) {
    with_guests([] {
        std::array<int, 2> fds{};
        ASSERT_EQ(::pipe(fds.data()), 0);
        bf::fiber([&] {
            const bool done = tendril::move_on_after(2ms, [&] {
                char c = 0;
                errno = 0;
                EXPECT_EQ(::read(fds[0], &c, 1), -1);
                EXPECT_EQ(errno, ECANCELED);
                tendril::this_fiber::sleep_for(1h);
            });
            EXPECT_FALSE(done);
        }).join();
        ::close(fds[0]);
        ::close(fds[1]);
    });
}

TEST(BoostFiberShim, MainFlowToo) {
    with_guests([] {
        std::array<int, 2> fds{};
        ASSERT_EQ(::pipe(fds.data()), 0);
        bf::fiber writer([&] {
            boost::this_fiber::sleep_for(1ms);
            ASSERT_EQ(::write(fds[1], "a", 1), 1);
        });
        char c = 0;
        EXPECT_EQ(::read(fds[0], &c, 1), 1);
        writer.join();
        ::close(fds[0]);
        ::close(fds[1]);
    });
}

} // namespace
