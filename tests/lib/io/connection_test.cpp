// SPDX-License-Identifier: BSL-1.0
#include "io/operations.hpp"
#include "io/uring_accept.hpp"
#include "support/sockets.hpp"
#include "sys/calls.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <tendril/fiber.hpp>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

int accept_one(int listener) {
    io::options o;
    return io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC, o);
}

int connect_to(int fd, const sockaddr_in& address, io::options& o) {
    return io::connect(fd, as_sockaddr(address), sizeof address, o);
}

owned_fd tcp_socket(int flags = 0) {
    return owned_fd(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"));
}

/// A listener whose queue is full, so that further attempts stay in progress.
struct deaf_listener {
    owned_fd listener = tcp_listener(0);
    std::vector<owned_fd> queued;
    deaf_listener() {
        for (int i = 0; i < 3; ++i) {
            owned_fd fd = tcp_socket(SOCK_NONBLOCK);
            const sockaddr_in address = local_address(listener);
            ::connect(fd, as_sockaddr(address), sizeof address);
            queued.push_back(std::move(fd));
        }
    }
};

struct listener_kind {
    const char* name;
    int flags;
    bool uring;
};

class accept_on : public testing::TestWithParam<listener_kind> {
protected:
    void SetUp() override { io::uring_accept::allowed = GetParam().uring; }
    void TearDown() override { io::uring_accept::allowed = true; }

    owned_fd listener_ = tcp_listener(128, GetParam().flags);
};

TEST_P(accept_on, waits_for_a_connection) {
    auto acceptor = tendril::spawn([&] {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        io::options o;
        const owned_fd fd(
            io::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC, o));
        EXPECT_GE(fd, 0);
        EXPECT_FALSE(is_nonblocking(fd));
        return ntohs(peer.sin_port);
    });
    settle();
    EXPECT_FALSE(acceptor.ready());
    const owned_fd client = tcp_client(listener_);
    EXPECT_EQ(acceptor.get(), ntohs(local_address(client).sin_port));
    EXPECT_EQ(is_nonblocking(listener_), GetParam().flags != 0);
}

TEST_P(accept_on, serves_two_acceptors_from_one_edge) {
    auto accept_and_close = [&] { return owned_fd(accept_one(listener_)) >= 0; };
    auto first = tendril::spawn(accept_and_close);
    auto second = tendril::spawn(accept_and_close);
    settle();
    const owned_fd a = tcp_client(listener_);
    const owned_fd b = tcp_client(listener_);
    EXPECT_TRUE(first.get());
    EXPECT_TRUE(second.get());
}

TEST_P(accept_on, stops_at_the_deadline) {
    io::options o;
    o.deadline = std::chrono::steady_clock::now() + 3ms;
    EXPECT_EQ(io::accept4(listener_, nullptr, nullptr, 0, o), -ETIMEDOUT);
}

// Out of fds: everyone who waits learns it, nobody spins, and the listener works on afterwards.
TEST_P(accept_on, reports_emfile_and_recovers) {
    auto accept_late = [&] { return accept_one(listener_); };
    auto first = tendril::spawn(accept_late);
    auto second = tendril::spawn(accept_late);
    settle();
    const owned_fd client = tcp_client(listener_);
    rlimit saved{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &saved), 0);
    const owned_fd next(::dup(client));
    rlimit none = saved;
    none.rlim_cur = static_cast<rlim_t>(next.operator int());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    settle();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &saved), 0);
    ASSERT_TRUE(first.ready() && second.ready());
    EXPECT_EQ(first.get(), -EMFILE);
    EXPECT_EQ(second.get(), -EMFILE);
    EXPECT_GE(owned_fd(accept_one(listener_)), 0);
}

INSTANTIATE_TEST_SUITE_P(listeners, accept_on,
                         testing::Values(listener_kind{"blocking", 0, true},
                                         listener_kind{"blocking_without_uring", 0, false},
                                         listener_kind{"nonblocking", SOCK_NONBLOCK, true}),
                         [](const testing::TestParamInfo<listener_kind>& kind) {
                             return std::string(kind.param.name);
                         });

TEST(accept, of_a_program_that_set_nonblock) {
    const owned_fd listener = tcp_listener(128, SOCK_NONBLOCK);
    io::options o;
    o.as_program = true;
    EXPECT_EQ(io::accept4(listener, nullptr, nullptr, 0, o), -EAGAIN);
    EXPECT_FALSE(o.waited);
}

TEST(accept, honours_the_receive_timeout_of_a_program) {
    const owned_fd listener = tcp_listener();
    const timeval timeout{0, 3'000};
    ASSERT_EQ(::setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    io::options o;
    o.as_program = true;
    EXPECT_EQ(io::accept4(listener, nullptr, nullptr, 0, o), -EAGAIN);
    EXPECT_TRUE(o.waited);
}

TEST(accept, of_what_does_not_listen) {
    const fd_pair pair = pipe_pair();
    io::options o;
    EXPECT_EQ(io::accept4(pair.a, nullptr, nullptr, 0, o), -ENOTSOCK);
    EXPECT_EQ(io::accept4(-1, nullptr, nullptr, 0, o), -EBADF);
    const owned_fd idle = tcp_socket();
    EXPECT_EQ(io::accept4(idle, nullptr, nullptr, 0, o), -EINVAL);
}

TEST(connect, to_a_listener) {
    const owned_fd listener = tcp_listener();
    const owned_fd fd = tcp_socket();
    io::options o;
    EXPECT_EQ(connect_to(fd, local_address(listener), o), 0);
    EXPECT_FALSE(is_nonblocking(fd));
    EXPECT_EQ(connect_to(fd, local_address(listener), o), -EISCONN);
}

TEST(connect, refused) {
    sockaddr_in nobody{};
    {
        const owned_fd listener = tcp_listener();
        nobody = local_address(listener);
    }
    const owned_fd fd = tcp_socket();
    io::options o;
    EXPECT_EQ(connect_to(fd, nobody, o), -ECONNREFUSED);
    EXPECT_EQ(connect_to(fd, nobody, o), -ECONNREFUSED); // a new attempt
    EXPECT_FALSE(is_nonblocking(fd));
}

TEST(connect, in_progress_is_waited_out) {
    deaf_listener deaf;
    const owned_fd fd = tcp_socket();
    auto connecting = tendril::spawn([&] {
        io::options o;
        const int r = connect_to(fd, local_address(deaf.listener), o);
        EXPECT_TRUE(o.waited);
        return r;
    });
    settle();
    EXPECT_FALSE(connecting.ready());
    EXPECT_FALSE(is_nonblocking(fd)); // while it waits, too
    // SYN is sent again after a second, and by then there is room.
    for (int i = 0; i < 2; ++i) {
        EXPECT_GE(owned_fd(accept_one(deaf.listener)), 0);
    }
    EXPECT_EQ(connecting.get(), 0);
}

TEST(connect, stops_at_the_deadline_and_can_be_resumed) {
    deaf_listener deaf;
    const owned_fd fd = tcp_socket();
    io::options limited;
    limited.deadline = std::chrono::steady_clock::now() + 3ms;
    EXPECT_EQ(connect_to(fd, local_address(deaf.listener), limited), -ETIMEDOUT);
    for (int i = 0; i < 2; ++i) {
        EXPECT_GE(owned_fd(accept_one(deaf.listener)), 0);
    }
    io::options o;
    EXPECT_EQ(connect_to(fd, local_address(deaf.listener), o), 0); // EALREADY, waited out
}

TEST(connect, as_the_program_means_it) {
    const deaf_listener deaf;
    const owned_fd limited = tcp_socket();
    const timeval timeout{0, 3'000};
    ASSERT_EQ(::setsockopt(limited, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout), 0);
    io::options o;
    o.as_program = true;
    EXPECT_EQ(connect_to(limited, local_address(deaf.listener), o), -EINPROGRESS); // socket(7)
    EXPECT_TRUE(o.waited);
    const owned_fd nonblocking = tcp_socket(SOCK_NONBLOCK);
    io::options immediate;
    immediate.as_program = true;
    EXPECT_EQ(connect_to(nonblocking, local_address(deaf.listener), immediate), -EINPROGRESS);
    EXPECT_FALSE(immediate.waited);
}

TEST(connect, to_a_unix_listener_whose_queue_is_full) {
    const owned_fd listener(check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    check(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), "bind");
    check(::listen(listener, 0), "listen");
    socklen_t size = sizeof address;
    check(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    std::vector<owned_fd> queued;
    for (int result = 0; result == 0;) {
        queued.emplace_back(
            check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
        result = ::connect(queued.back(), reinterpret_cast<sockaddr*>(&address), size);
    }
    const owned_fd fd(check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    auto connecting = tendril::spawn([&] {
        io::options o;
        return io::connect(fd, reinterpret_cast<sockaddr*>(&address), size, o);
    });
    settle();
    EXPECT_FALSE(connecting.ready());
    EXPECT_GE(owned_fd(accept_one(listener)), 0);
    EXPECT_EQ(connecting.get(), 0);
}

TEST(connect, of_a_bad_fd) {
    io::options o;
    EXPECT_EQ(connect_to(-1, loopback(1), o), -EBADF);
    const fd_pair pair = pipe_pair();
    EXPECT_EQ(connect_to(pair.a, loopback(1), o), -ENOTSOCK);
}

TEST(hidden_nonblock, is_not_seen_by_the_program) {
    const fd_pair pair = unix_pair();
    set_nonblocking(pair.a);
    io::hide_nonblock(pair.a);
    EXPECT_EQ(io::get_flags(pair.a) & O_NONBLOCK, 0);
    char c = 0;
    io::options limited;
    limited.as_program = true;
    limited.deadline = std::chrono::steady_clock::now() + 2ms;
    EXPECT_EQ(io::read(pair.a, &c, 1, limited), -ETIMEDOUT); // it waits
    // The program's own wish counts, and is shown.
    EXPECT_EQ(io::set_nonblock(pair.a, true), 0);
    EXPECT_NE(io::get_flags(pair.a) & O_NONBLOCK, 0);
    io::options o;
    o.as_program = true;
    EXPECT_EQ(io::read(pair.a, &c, 1, o), -EAGAIN);
    EXPECT_EQ(io::set_flags(pair.a, io::get_flags(pair.a) & ~O_NONBLOCK), 0);
    EXPECT_EQ(io::get_flags(pair.a) & O_NONBLOCK, 0);
    EXPECT_TRUE(is_nonblocking(pair.a));
    // A duplicate is the same description.
    const owned_fd copy(::fcntl(pair.b, F_DUPFD_CLOEXEC, 0));
    EXPECT_EQ(io::dup2(pair.a, copy), copy);
    EXPECT_EQ(io::get_flags(copy) & O_NONBLOCK, 0);
}

TEST(flags, changed_by_the_program_take_effect_on_all_fds_of_the_description) {
    const fd_pair pair = unix_pair();
    const owned_fd copy(::fcntl(pair.a, F_DUPFD_CLOEXEC, 0));
    char c = 0;
    io::options limited;
    limited.as_program = true;
    limited.deadline = std::chrono::steady_clock::now() + 2ms;
    EXPECT_EQ(io::read(copy, &c, 1, limited), -ETIMEDOUT);
    EXPECT_EQ(io::set_nonblock(pair.a, true), 0);
    io::options o;
    o.as_program = true;
    EXPECT_EQ(io::read(copy, &c, 1, o), -EAGAIN);
    EXPECT_EQ(io::set_flags(pair.a, O_RDWR), 0);
    limited.deadline = std::chrono::steady_clock::now() + 2ms;
    EXPECT_EQ(io::read(copy, &c, 1, limited), -ETIMEDOUT);
}

} // namespace
