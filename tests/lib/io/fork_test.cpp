// SPDX-License-Identifier: BSL-1.0
// fork in a fiber: in the child only that fiber goes on, and the parent notices nothing.
#include "io/operations.hpp"
#include "support/sockets.hpp"
#include "support/transfers.hpp"
#include "sys/own_fds.hpp"

#include <array>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <tendril/fiber.hpp>
#include <thread>

namespace {

namespace io = tendril::detail::io;
using namespace tendril::test;

void expect_success(pid_t child) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(fork, in_a_fiber) {
    const fd_pair pair = tcp_pair();
    const fd_pair to_child = tcp_pair();
    const fd_pair from_child = tcp_pair();
    auto bystander = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    auto forker = tendril::spawn([&]() -> pid_t {
        const pid_t child = ::fork();
        if (child != 0) {
            return child;
        }
        // Waits, on fds that it shares with the parent, and closes one that the parent waits for.
        const bool good = read_some(to_child.a) == "ping";
        io::close(pair.a);
        put(from_child.b, "pong");
        ::_exit(good ? 0 : 1);
    });
    const pid_t child = forker.get();
    put(to_child.b, "ping");
    EXPECT_EQ(read_some(from_child.a), "pong");
    expect_success(child);
    // The parent's registration outlived all that the child did to its own.
    EXPECT_FALSE(bystander.ready());
    put(pair.b, "x");
    EXPECT_EQ(bystander.get(), "x");
}

TEST(fork, the_child_gets_no_wake_ups_of_the_parent_s_fibers) {
    const fd_pair pair = tcp_pair();
    const fd_pair quiet = tcp_pair();
    bool child_side = false;
    auto bystander = tendril::spawn([&] {
        const std::string got = read_some(pair.a);
        if (child_side) {
            ::_exit(2);
        }
        return got;
    });
    settle();
    const pid_t child = ::fork();
    if (child == 0) {
        child_side = true;
        put(pair.b, "x"); // an edge on the fd that the parent's fiber waits for
        settle();
        ::_exit(0);
    }
    expect_success(child);
    EXPECT_EQ(bystander.get(), "x");
}

TEST(fork, on_a_thread_without_a_hub) {
    const fd_pair pair = tcp_pair();
    auto bystander = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    pid_t child = -1;
    std::thread([&] {
        child = ::fork();
        if (child == 0) {
            // Makes a hub of its own, for an fd that the parent's hub has registered.
            io::options o;
            o.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
            char c = 0;
            const bool good = io::recv(pair.a, &c, 1, MSG_PEEK, o) == -ETIMEDOUT;
            io::close(pair.a);
            ::_exit(good ? 0 : 1);
        }
    }).join();
    expect_success(child);
    put(pair.b, "x");
    EXPECT_EQ(bystander.get(), "x");
}

// As a program does that becomes a daemon.
TEST(fork, and_closing_all_fds_leaves_the_hub_its_own) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (int fd = 3; fd < 4096; ++fd) {
            io::close(fd);
        }
        fd_pair pair = tcp_pair();
        auto reader = tendril::spawn([&] { return read_some(pair.a); });
        settle();
        put(pair.b, "x");
        bool good = reader.get() == "x";
        const int own = tendril::sys::next_own(0);
        good = good && own >= 0 && io::close(own) == -EBADF && io::dup2(2, own) == -EBUSY;
        ::_exit(good ? 0 : 1);
    }
    expect_success(child);
}

TEST(fork, twice_over) {
    const fd_pair pair = tcp_pair();
    const pid_t child = ::fork();
    if (child == 0) {
        auto echo = tendril::spawn([&] { put(pair.a, read_some(pair.a)); });
        settle();
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            const fd_pair own = tcp_pair();
            auto reader = tendril::spawn([&] { return read_some(own.a); });
            settle();
            put(own.b, "y");
            ::_exit(reader.get() == "y" ? 0 : 1);
        }
        int status = -1;
        ::waitpid(grandchild, &status, 0);
        echo.join();
        ::_exit(status == 0 ? 0 : 1);
    }
    put(pair.b, "x");
    EXPECT_EQ(read_some(pair.b), "x");
    expect_success(child);
}

} // namespace
