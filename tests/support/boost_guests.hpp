// SPDX-License-Identifier: BSL-1.0
#pragma once

// A thread whose Boost fibers are guests on its hub.

#include <tendril/boost_fiber.hpp>
#include <tendril/io.hpp>
#include <tendril/unique_fd.hpp>

#include <boost/fiber/all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <sys/socket.h>
#include <thread>
#include <utility>

namespace tendril_test {

namespace bf = boost::fibers;

/// Runs `body()` in the main flow of a new thread with our algorithm, and the thread to its end.
template <typename Body>
void with_guests(Body body) {
    std::thread([&body] {
        bf::use_scheduling_algorithm<tendril::boost_fiber::hub_algorithm>();
        body();
    }).join();
}

template <typename Function>
bf::fiber start(Function function, bf::launch how = bf::launch::post) {
    return bf::fiber(how, std::move(function));
}

struct socket_pair {
    socket_pair() {
        std::array<int, 2> fds{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
        left = tendril::io::unique_fd(fds[0]);
        right = tendril::io::unique_fd(fds[1]);
    }
    tendril::io::unique_fd left, right;
};

inline char read_one(int fd) {
    char c = '?';
    EXPECT_EQ(tendril::io::read(fd, &c, 1), 1);
    return c;
}

inline void write_one(int fd, char c) {
    EXPECT_EQ(tendril::io::write(fd, &c, 1), 1);
}

} // namespace tendril_test
