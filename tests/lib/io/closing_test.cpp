// SPDX-License-Identifier: BSL-1.0
// fds that are closed, replaced and used again, with and without our knowledge.
#include "hub/hub_core.hpp"
#include "io/hub_io.hpp"
#include "io/operations.hpp"
#include "support/fd_waiters.hpp"
#include "support/sockets.hpp"
#include "support/transfers.hpp"
#include "sys/calls.hpp"

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <tendril/fiber.hpp>
#include <thread>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using tendril::detail::hub_core;
using namespace std::chrono_literals;
using namespace tendril::test;

void raw_close(int fd) {
    ASSERT_EQ(::syscall(SYS_close, fd), 0);
}

TEST(closing, wakes_who_waits) {
    fd_pair pair = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    auto poller = tendril::spawn([&] {
        io::options o;
        return io::wait(pair.a, POLLIN, o);
    });
    settle();
    pair.a.reset();
    EXPECT_EQ(reader.get(), bad_fd);
    EXPECT_EQ(poller.get(), POLLNVAL);
}

TEST(closing, wakes_writers_acceptors_and_who_connects) {
    owned_fd listener = tcp_listener();
    auto acceptor = tendril::spawn([&] {
        io::options o;
        return io::accept4(listener, nullptr, nullptr, 0, o);
    });
    fd_pair pair = pipe_pair();
    auto writer = tendril::spawn([&] {
        const std::string text(1'000'000, 'x');
        io::options o;
        EXPECT_GT(io::write(pair.b, text.data(), text.size(), o), 0); // what was written counts
        return read_some(pair.b);
    });
    fd_pair full = unix_pair(SOCK_DGRAM);
    while (::send(full.a, "x", 1, MSG_DONTWAIT) == 1) {
    }
    auto sender = tendril::spawn([&] {
        io::options o;
        return io::send(full.a, "x", 1, 0, o);
    });
    settle();
    listener.reset();
    pair.b.reset();
    full.a.reset();
    EXPECT_EQ(acceptor.get(), -EBADF);
    EXPECT_EQ(writer.get(), bad_fd);
    EXPECT_EQ(sender.get(), -EBADF);
}

TEST(closing, wakes_who_waits_on_another_hub) {
    fd_pair pair = tcp_pair();
    std::thread other([&] { EXPECT_EQ(read_some(pair.a), bad_fd); });
    await_waiters(pair.a, 1);
    pair.a.reset();
    other.join();
}

TEST(closing, by_a_thread_without_a_hub_makes_none) {
    fd_pair pair = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    std::thread([&] {
        pair.a.reset();
        EXPECT_EQ(hub_core::current_or_null(), nullptr);
    }).join();
    EXPECT_EQ(reader.get(), bad_fd);
}

TEST(closing, of_a_range) {
    fd_pair pair = tcp_pair();
    fd_pair other = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    auto bystander = tendril::spawn([&] { return read_some(other.a); });
    settle();
    const auto fd = static_cast<unsigned>(pair.a.release());
    io::closing_range(fd, fd);
    raw_close(static_cast<int>(fd));
    EXPECT_EQ(reader.get(), bad_fd);
    put(other.b, "x");
    EXPECT_EQ(bystander.get(), "x");
}

TEST(closing, of_what_is_not_open_is_harmless) {
    EXPECT_EQ(io::close(-1), -EBADF);
    EXPECT_EQ(io::close(999'999), -EBADF);
    io::closing(-5);
    io::closing(2'000'000'000);
}

// The waiter belongs to the old description: it must neither wake for the new one nor eat its
// bytes.
TEST(dup2, over_a_waiter) {
    fd_pair old = tcp_pair();
    fd_pair fresh = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(old.a); });
    settle();
    put(fresh.b, "not yours");
    EXPECT_EQ(io::dup2(fresh.a, old.a), old.a);
    EXPECT_EQ(reader.get(), bad_fd);
    EXPECT_EQ(read_some(old.a), "not yours");
    auto next = tendril::spawn([&] { return read_some(old.a); });
    settle();
    put(fresh.b, "new");
    EXPECT_EQ(next.get(), "new");
}

TEST(dup2, that_fails_leaves_the_waiter_alone) {
    fd_pair pair = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    EXPECT_EQ(io::dup2(-1, pair.a), -EBADF);
    EXPECT_EQ(io::dup3(pair.a, pair.a, 0), -EINVAL);
    EXPECT_EQ(io::dup2(pair.a, pair.a), pair.a);
    put(pair.b, "x");
    EXPECT_EQ(reader.get(), "x");
}

TEST(reused_number, serves_the_new_connection_only) {
    for (int round = 0; round < 20; ++round) {
        fd_pair old = tcp_pair();
        const owned_fd alive(::fcntl(old.a, F_DUPFD_CLOEXEC, 500)); // the description lives on
        auto reader = tendril::spawn([&] { return read_some(old.a); });
        settle();
        const int number = old.a;
        old.a.reset();
        EXPECT_EQ(reader.get(), bad_fd);
        fd_pair fresh = tcp_pair();
        if (fresh.a != number) {
            ASSERT_EQ(io::dup2(fresh.a, number), number);
        }
        auto next = tendril::spawn([&] { return read_some(number); });
        put(old.b, "old"); // an edge of the old description
        settle();
        EXPECT_FALSE(next.ready());
        put(fresh.b, "new");
        EXPECT_EQ(next.get(), "new");
        if (fresh.a != number) {
            io::close(number);
        }
    }
}

// An edge has woken both; the first to run closes the fd, and its number means another connection
// by the time the second one runs.
TEST(reused_number, is_not_read_by_who_was_woken_for_the_old_connection) {
    fd_pair old = tcp_pair();
    fd_pair fresh = tcp_pair();
    put(fresh.b, "not yours");
    std::vector<tendril::fiber<std::string>> readers;
    for (int i = 0; i < 3; ++i) {
        readers.push_back(tendril::spawn([&] {
            const std::string got = read_some(old.a);
            if (got.empty()) {
                EXPECT_EQ(io::dup2(fresh.a, old.a), old.a);
            }
            return got;
        }));
    }
    settle();
    old.b.reset(); // wakes all
    EXPECT_EQ(readers[0].get(), "");
    EXPECT_EQ(readers[1].get(), bad_fd);
    EXPECT_EQ(readers[2].get(), bad_fd);
    EXPECT_EQ(read_some(old.a), "not yours");
}

TEST(reused_number, is_not_written_by_who_was_woken_for_the_old_connection) {
    fd_pair old = unix_pair();
    fd_pair fresh = unix_pair();
    while (::send(old.a, "x", 1, MSG_DONTWAIT) == 1) {
    }
    std::vector<tendril::fiber<ssize_t>> writers;
    for (int i = 0; i < 2; ++i) {
        writers.push_back(tendril::spawn([&] {
            io::options o;
            const ssize_t n = io::send(old.a, "old", 3, MSG_NOSIGNAL, o);
            if (n == -EPIPE) {
                EXPECT_EQ(io::dup2(fresh.a, old.a), old.a);
            }
            return n;
        }));
    }
    settle();
    old.b.reset();
    EXPECT_EQ(writers[0].get(), -EPIPE);
    EXPECT_EQ(writers[1].get(), -EBADF);
    put(old.a, "new");
    EXPECT_EQ(read_some(fresh.b), "new");
}

// Closed by a raw system call, and the number used again: the registration is gone, and only the
// verification after a while can notice.
TEST(closed_behind_our_back, a_later_wait_is_registered_anew) {
    fd_pair old = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(old.a); });
    settle();
    put(old.b, "x");
    EXPECT_EQ(reader.get(), "x"); // registered now
    const int number = old.a.release();
    raw_close(number);
    fd_pair fresh = tcp_pair();
    if (fresh.a != number) {
        ASSERT_EQ(::syscall(SYS_dup3, fresh.a.operator int(), number, O_CLOEXEC), number);
    }
    auto next = tendril::spawn([&] { return read_some(number); });
    settle();
    put(fresh.b, "new");
    EXPECT_EQ(next.get(), "new");
    if (fresh.a != number) {
        io::close(number);
    }
}

TEST(closed_behind_our_back, the_waiter_is_told) {
    fd_pair pair = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    raw_close(pair.a.release());
    EXPECT_EQ(reader.get(), bad_fd);
}

// The description lives on in a duplicate, and the registration under a number that is gone: its
// reports cannot be unsubscribed, except by a new epoll set.
TEST(closed_behind_our_back, stale_reports_do_not_go_on_for_ever) {
    auto& own = io::hub_io::of(hub_core::current());
    const std::size_t rebuilds = own.rebuilds();
    fd_pair old = tcp_pair();
    fd_pair steady = tcp_pair();
    auto bystander = tendril::spawn([&] { return read_some(steady.a); });
    const owned_fd alive(::fcntl(old.a, F_DUPFD_CLOEXEC, 600));
    auto reader = tendril::spawn([&] { return read_some(old.a); });
    settle();
    put(old.b, "x");
    EXPECT_EQ(reader.get(), "x");
    const int number = old.a.release();
    raw_close(number);
    fd_pair fresh = tcp_pair();
    if (fresh.a != number) {
        ASSERT_EQ(::syscall(SYS_dup3, fresh.a.operator int(), number, O_CLOEXEC), number);
    }
    auto next = tendril::spawn([&] { return read_some(number); });
    settle();
    while (own.rebuilds() == rebuilds) {
        put(old.b, "y"); // reported under the old generation, once the wait was verified
        settle();
        std::array<char, 10> sink{};
        ASSERT_GT(::recv(alive, sink.data(), sink.size(), MSG_DONTWAIT), 0);
    }
    const std::size_t stale = own.stale_events();
    put(old.b, "z");
    settle();
    EXPECT_EQ(own.stale_events(), stale);
    put(fresh.b, "new");
    EXPECT_EQ(next.get(), "new");
    put(steady.b, "still here");
    EXPECT_EQ(bystander.get(), "still here");
    if (fresh.a != number) {
        io::close(number);
    }
}

// A child of vfork shares our memory but not our fds: its close is not ours.
TEST(vfork, child_closes_only_its_own) {
    fd_pair pair = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    const pid_t child = ::vfork();
    if (child == 0) {
        io::close(pair.a);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    settle();
    EXPECT_FALSE(reader.ready());
    put(pair.b, "x");
    EXPECT_EQ(reader.get(), "x");
}

} // namespace
