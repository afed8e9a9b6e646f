// SPDX-License-Identifier: BSL-1.0
// accept without blocking on a listener that blocks. Skipped where io_uring is not to be had.
#include "io/operations.hpp"
#include "io/uring_accept.hpp"
#include "support/sockets.hpp"
#include "sys/calls.hpp"

#include <gtest/gtest.h>
#include <string>
#include <tendril/fiber.hpp>

namespace {

namespace io = tendril::detail::io;
using io::uring_accept;
using namespace tendril::test;

class uring : public testing::TestWithParam<uring_accept::means> {
protected:
    void SetUp() override {
        ring_ = uring_accept::make(GetParam());
        if (ring_ == nullptr) {
            GTEST_SKIP() << "no io_uring here";
        }
    }
    std::unique_ptr<uring_accept> ring_;
};

TEST_P(uring, accepts_or_says_eagain) {
    const owned_fd listener = tcp_listener();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(ring_->accept(listener, nullptr, nullptr, 0), -EAGAIN);
        const owned_fd client = tcp_client(listener);
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        const owned_fd fd(
            ring_->accept(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
        ASSERT_GE(fd, 0);
        EXPECT_EQ(peer.sin_port, local_address(client).sin_port);
        EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    }
    EXPECT_FALSE(is_nonblocking(listener));
}

TEST_P(uring, reports_errors) {
    const owned_fd idle(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    EXPECT_EQ(ring_->accept(idle, nullptr, nullptr, 0), -EINVAL);
    EXPECT_EQ(ring_->accept(-1, nullptr, nullptr, 0), -EBADF);
    const fd_pair pair = pipe_pair();
    EXPECT_EQ(ring_->accept(pair.a, nullptr, nullptr, 0), -ENOTSOCK);
}

INSTANTIATE_TEST_SUITE_P(
    means, uring, testing::Values(uring_accept::means::dontwait, uring_accept::means::cancel),
    [](const testing::TestParamInfo<uring_accept::means>& m) {
        return std::string(m.param == uring_accept::means::dontwait ? "dontwait" : "cancel");
    });

// Another process was faster: poll said readable, and the connection is gone.
TEST(accept, that_lost_its_connection_waits_for_the_next) {
    if (uring_accept::make() == nullptr) {
        GTEST_SKIP() << "no io_uring here";
    }
    static int lies;
    lies = 3;
    const tendril::sys::calls saved = tendril::sys::real;
    tendril::sys::real.poll = [](pollfd* fds, nfds_t count, int timeout) {
        if (lies > 0 && count == 1 && fds->events == POLLIN) {
            --lies;
            fds->revents = POLLIN;
            return 1;
        }
        return ::poll(fds, count, timeout);
    };
    const owned_fd listener = tcp_listener();
    auto acceptor = tendril::spawn([&] {
        io::options o;
        return owned_fd(io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC, o)) >= 0;
    });
    settle();
    EXPECT_FALSE(acceptor.ready());
    const owned_fd client = tcp_client(listener);
    EXPECT_TRUE(acceptor.get());
    tendril::sys::real = saved;
}

} // namespace
