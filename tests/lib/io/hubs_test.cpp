// SPDX-License-Identifier: BSL-1.0
// One fd and several hubs, each with its own registration. Meant for ThreadSanitizer, too.
#include "io/operations.hpp"
#include "support/fd_waiters.hpp"
#include "support/sockets.hpp"

#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <string>
#include <tendril/fiber.hpp>
#include <thread>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace tendril::test;

constexpr int threads = 3;
constexpr int fibers_each = 4;

/// Runs `body` in several fibers of several hubs, and waits for them all.
template <typename Body>
void on_several_hubs(Body body) {
    std::vector<std::thread> hubs;
    for (int t = 0; t < threads; ++t) {
        hubs.emplace_back([&] {
            std::vector<tendril::fiber<void>> fibers;
            for (int f = 0; f < fibers_each; ++f) {
                fibers.push_back(tendril::spawn(body));
            }
            for (auto& fiber : fibers) {
                fiber.get();
            }
        });
    }
    for (auto& hub : hubs) {
        hub.join();
    }
}

TEST(several_hubs, share_a_listener) {
    const owned_fd listener = tcp_listener(128, SOCK_NONBLOCK);
    constexpr int connections = threads * fibers_each * 10;
    std::thread clients([&] {
        for (int i = 0; i < connections; ++i) {
            const owned_fd client = tcp_client(listener);
            char c = 0;
            ASSERT_EQ(::recv(client, &c, 1, 0), 1);
        }
    });
    std::atomic<int> served{0};
    on_several_hubs([&] {
        for (int i = 0; i < 10; ++i) {
            io::options o;
            const owned_fd fd(io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC, o));
            ASSERT_GE(fd, 0);
            ASSERT_EQ(io::send(fd, "x", 1, MSG_NOSIGNAL, o), 1);
            ++served;
        }
    });
    clients.join();
    EXPECT_EQ(served, connections);
}

TEST(several_hubs, share_a_socket) {
    const fd_pair pair = unix_pair(SOCK_DGRAM);
    std::atomic<int> received{0};
    constexpr int messages = threads * fibers_each * 50;
    std::thread sender([&] {
        for (int i = 0; i < messages; ++i) {
            io::options o;
            ASSERT_EQ(io::send(pair.b, "x", 1, 0, o), 1);
        }
    });
    on_several_hubs([&] {
        for (int i = 0; i < 50; ++i) {
            std::array<char, 8> buffer{};
            io::options o;
            ASSERT_EQ(io::recv(pair.a, buffer.data(), buffer.size(), 0, o), 1);
            ++received;
        }
    });
    sender.join();
    EXPECT_EQ(received, messages);
}

// Every waiter on every hub gets one of: data, the end, EBADF. None hangs, and no byte of the next
// connection under the same number reaches them.
TEST(several_hubs, survive_close_and_reuse_of_a_number) {
    for (int round = 0; round < 30; ++round) {
        fd_pair pair = tcp_pair();
        const int fd = pair.a;
        std::thread closer([&] {
            await_waiters(fd, threads * fibers_each);
            pair.a.reset();
        });
        on_several_hubs([&] {
            std::array<char, 8> buffer{};
            io::options o;
            const ssize_t n = io::recv(fd, buffer.data(), buffer.size(), 0, o);
            EXPECT_EQ(n, -EBADF);
        });
        closer.join();
    }
}

TEST(several_hubs, move_a_connection_between_them) {
    fd_pair pair = tcp_pair();
    for (int i = 0; i < 20; ++i) {
        std::thread hub([&] {
            auto echo = tendril::spawn([&] {
                std::array<char, 8> buffer{};
                io::options o;
                ASSERT_EQ(io::read(pair.a, buffer.data(), buffer.size(), o), 1);
                ASSERT_EQ(io::write(pair.a, buffer.data(), 1, o), 1);
            });
            auto ask = tendril::spawn([&] {
                std::array<char, 8> buffer{};
                io::options o;
                ASSERT_EQ(io::write(pair.b, "x", 1, o), 1);
                ASSERT_EQ(io::read(pair.b, buffer.data(), buffer.size(), o), 1);
            });
            echo.get();
            ask.get();
        });
        hub.join();
    }
}

TEST(a_hub_that_ends, leaves_no_registration_behind) {
    fd_pair pair = tcp_pair();
    for (int i = 0; i < 3; ++i) { // the hub goes from thread to thread
        std::thread([&] {
            auto reader = tendril::spawn([&] {
                std::array<char, 8> buffer{};
                io::options o;
                return io::read(pair.a, buffer.data(), buffer.size(), o);
            });
            settle();
            ASSERT_EQ(::write(pair.b, "x", 1), 1);
            EXPECT_EQ(reader.get(), 1);
        }).join();
    }
}

} // namespace
