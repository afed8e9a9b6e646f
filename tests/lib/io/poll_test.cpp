// SPDX-License-Identifier: BSL-1.0
// poll, select, epoll_wait and sleep: by level, for many fds at once.
#include "hub/hub_core.hpp"
#include "io/operations.hpp"
#include "support/sockets.hpp"
#include "support/transfers.hpp"

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <tendril/fiber.hpp>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;
using steady = std::chrono::steady_clock;

TEST(poll, waits_for_the_first_of_several) {
    const fd_pair one = tcp_pair();
    const fd_pair two = pipe_pair();
    const fd_pair three = unix_pair(SOCK_DGRAM);
    std::array<pollfd, 5> fds{pollfd{one.a, POLLIN, 0}, pollfd{-1, POLLIN, 99},
                              pollfd{two.a, POLLIN, 0}, pollfd{three.a, POLLIN, 0},
                              pollfd{one.a, POLLIN, 0}}; // one.a twice
    auto poller = tendril::spawn([&] {
        io::options o;
        const int n = io::poll(fds.data(), fds.size(), o);
        EXPECT_TRUE(o.waited);
        return n;
    });
    settle();
    EXPECT_FALSE(poller.ready());
    put(one.b, "x");
    EXPECT_EQ(poller.get(), 2);
    EXPECT_EQ(fds[0].revents, POLLIN);
    EXPECT_EQ(fds[1].revents, 0);
    EXPECT_EQ(fds[2].revents, 0);
    EXPECT_EQ(fds[4].revents, POLLIN);
    // By level: it is still so.
    io::options o;
    EXPECT_EQ(io::poll(fds.data(), fds.size(), o), 2);
    EXPECT_FALSE(o.waited);
}

TEST(poll, leaves_readiness_to_readers_and_other_pollers) {
    const fd_pair pair = tcp_pair();
    auto poll_one = [&] {
        pollfd p{pair.a, POLLIN, 0};
        io::options o;
        return io::poll(&p, 1, o);
    };
    auto first = tendril::spawn(poll_one);
    auto second = tendril::spawn(poll_one);
    auto reader = tendril::spawn([&] {
        std::array<char, 10> buffer{};
        io::options o;
        return io::read(pair.a, buffer.data(), buffer.size(), o);
    });
    settle();
    put(pair.b, "x");
    EXPECT_EQ(first.get(), 1);
    EXPECT_EQ(second.get(), 1);
    EXPECT_EQ(reader.get(), 1);
}

TEST(poll, stops_at_the_deadline) {
    const fd_pair pair = tcp_pair();
    pollfd p{pair.a, POLLIN, 0};
    io::options o = in(3ms);
    EXPECT_EQ(io::poll(&p, 1, o), 0);
    io::options past = in(-1ms);
    EXPECT_EQ(io::poll(&p, 1, past), 0);
    EXPECT_FALSE(past.waited);
}

TEST(poll, of_nothing_is_a_sleep) {
    const auto begin = steady::now();
    io::options o = in(3ms);
    EXPECT_EQ(io::poll(nullptr, 0, o), 0);
    pollfd ignored{-7, POLLIN, 0};
    o = in(3ms);
    EXPECT_EQ(io::poll(&ignored, 1, o), 0);
    EXPECT_GE(steady::now() - begin, 6ms);
}

TEST(poll, of_a_bad_fd_and_of_a_file) {
    const owned_fd file(check(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), "open"));
    std::array<pollfd, 2> fds{pollfd{999'999, POLLIN, 0}, pollfd{file, POLLIN | POLLOUT, 0}};
    io::options o;
    EXPECT_EQ(io::poll(fds.data(), 2, o), 2);
    EXPECT_EQ(fds[0].revents, POLLNVAL);
    EXPECT_EQ(fds[1].revents, POLLIN | POLLOUT);
    // A file is never in an exceptional state: the others are waited for.
    const fd_pair pair = pipe_pair();
    fds = {pollfd{file, POLLPRI, 0}, pollfd{pair.a, POLLIN, 0}};
    auto poller = tendril::spawn([&] {
        io::options inner;
        return io::poll(fds.data(), 2, inner);
    });
    settle();
    put(pair.b, "x");
    EXPECT_EQ(poller.get(), 1);
}

TEST(poll, sees_room_to_write_urgent_data_and_the_peer_s_half_close) {
    fd_pair pair = tcp_pair();
    std::string filler(100'000, 'x');
    while (::send(pair.a, filler.data(), filler.size(), MSG_DONTWAIT) > 0) {
    }
    auto wait_for = [&](short events) {
        return tendril::spawn([&pair, events] {
            io::options o;
            return io::wait(pair.a, events, o);
        });
    };
    auto writer = wait_for(POLLOUT);
    auto urgent = wait_for(POLLPRI);
    auto half = wait_for(POLLRDHUP);
    settle();
    EXPECT_FALSE(writer.ready());
    ASSERT_EQ(::send(pair.b, "!", 1, MSG_OOB), 1);
    EXPECT_EQ(urgent.get(), POLLPRI);
    EXPECT_FALSE(half.ready());
    ASSERT_EQ(::shutdown(pair.b, SHUT_WR), 0);
    EXPECT_EQ(half.get(), POLLRDHUP);
    while (::recv(pair.b, filler.data(), filler.size(), MSG_DONTWAIT) > 0) {
    }
    EXPECT_EQ(writer.get(), POLLOUT);
}

TEST(select, tells_the_sets_apart) {
    const fd_pair one = tcp_pair();
    const fd_pair two = pipe_pair();
    fd_set readers;
    fd_set writers;
    auto fill = [&] {
        FD_ZERO(&readers);
        FD_ZERO(&writers);
        FD_SET(one.a, &readers);
        FD_SET(two.a, &readers);
        FD_SET(one.a, &writers);
    };
    fill();
    io::options o;
    EXPECT_EQ(io::select(FD_SETSIZE, &readers, &writers, nullptr, o), 1);
    EXPECT_TRUE(FD_ISSET(one.a, &writers));
    EXPECT_FALSE(FD_ISSET(one.a, &readers));
    fill();
    auto selecting = tendril::spawn([&] {
        io::options inner;
        return io::select(FD_SETSIZE, &readers, nullptr, nullptr, inner);
    });
    settle();
    put(two.b, "x");
    EXPECT_EQ(selecting.get(), 1);
    EXPECT_TRUE(FD_ISSET(two.a, &readers));
    EXPECT_FALSE(FD_ISSET(one.a, &readers));
    FD_ZERO(&readers);
    FD_SET(1000, &readers);
    EXPECT_EQ(io::select(1001, &readers, nullptr, nullptr, o), -EBADF);
    EXPECT_EQ(io::select(-1, &readers, nullptr, nullptr, o), -EINVAL);
    io::options limited = in(2ms);
    EXPECT_EQ(io::select(0, nullptr, nullptr, nullptr, limited), 0);
}

TEST(select, beyond_fd_setsize) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2001) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    const fd_pair pair = pipe_pair();
    const owned_fd high(check(::fcntl(pair.a, F_DUPFD_CLOEXEC, 2000), "F_DUPFD"));
    std::array<fd_set, 2> set{}; // room for 2048
    const auto word = static_cast<std::size_t>(high) / NFDBITS;
    auto* words = reinterpret_cast<fd_mask*>(set.data());
    words[word] = fd_mask{1} << (high % NFDBITS);
    put(pair.b, "x");
    io::options o;
    EXPECT_EQ(io::select(high + 1, set.data(), nullptr, nullptr, o), 1);
    EXPECT_NE(words[word], 0);
}

// The program's own epoll set, with level-triggered members, read event by event.
TEST(epoll_wait, parks_the_fiber_only) {
    const owned_fd set(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    const fd_pair one = tcp_pair();
    const fd_pair two = tcp_pair();
    for (const fd_pair* pair : {&one, &two}) {
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.fd = pair->a;
        check(::epoll_ctl(set, EPOLL_CTL_ADD, pair->a, &e), "epoll_ctl");
    }
    auto loop = tendril::spawn([&] {
        std::string all;
        while (all.size() < 6) {
            epoll_event e{};
            io::options o;
            if (io::epoll_wait(set, &e, 1, o) == 1) {
                char c = 0;
                all.append(::recv(e.data.fd, &c, 1, MSG_DONTWAIT) == 1 ? 1 : 0, c);
            }
        }
        return all.size();
    });
    for (const char* text : {"ab", "c"}) {
        settle();
        EXPECT_FALSE(loop.ready());
        put(one.b, text);
        put(two.b, text);
    }
    EXPECT_EQ(loop.get(), 6U);
    epoll_event e{};
    io::options o = in(2ms);
    EXPECT_EQ(io::epoll_wait(set, &e, 1, o), 0);
    EXPECT_EQ(io::epoll_wait(set, &e, 0, o), -EINVAL);
    EXPECT_EQ(io::epoll_wait(one.a, &e, 1, o), -EINVAL);
}

TEST(sleep, ends_in_time_and_lets_others_run) {
    const auto until = steady::now() + 3ms;
    bool ran = false;
    auto other = tendril::spawn([&] { ran = true; });
    io::options o;
    EXPECT_EQ(io::sleep(until, o), 0);
    EXPECT_GE(steady::now(), until);
    EXPECT_TRUE(ran);
}

// A fiber whose operations never wait must not keep the others from running.
TEST(budget, is_spent_by_operations_that_never_wait) {
    const fd_pair pair = unix_pair(SOCK_DGRAM);
    bool stop = false;
    auto other = tendril::spawn([&] { stop = true; });
    char c = 'x';
    for (int i = 0; !stop; ++i) {
        ASSERT_LT(i, 1000);
        io::options o;
        ASSERT_EQ(io::send(pair.a, &c, 1, 0, o), 1);
        ASSERT_EQ(io::recv(pair.b, &c, 1, 0, o), 1);
    }
    stop = false;
    auto another = tendril::spawn([&] { stop = true; });
    for (int i = 0; !stop; ++i) {
        ASSERT_LT(i, 1000);
        io::options o;
        ASSERT_EQ(io::recv(-1, &c, 1, 0, o), -EBADF);
    }
}

} // namespace
