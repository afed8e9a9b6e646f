// SPDX-License-Identifier: BSL-1.0
// File descriptions are shared with other processes, and those must not notice how we wait: neither
// by O_NONBLOCK, nor do we hang when they take what we saw.
#include "io/operations.hpp"
#include "support/sockets.hpp"
#include "sys/calls.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <pty.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <tendril/fiber.hpp>
#include <tendril/net.hpp>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace tendril::test;

/// What another program finds that inherits these fds, under numbers of its own, as servers hand
/// their connections to helpers.
std::string seen_by_another_program(const std::vector<int>& fds) {
    fd_pair report = pipe_pair();
    const pid_t child = ::fork();
    if (child == 0) {
        std::vector<std::string> numbers{TENDRIL_TEST_PROGRAM_DIR "/show_flags"};
        for (std::size_t i = 0; i < fds.size(); ++i) {
            const int number = 500 + static_cast<int>(i);
            ::dup2(fds[i], number);
            numbers.push_back(std::to_string(number));
        }
        ::dup2(report.b, 1);
        std::vector<char*> arguments;
        for (std::string& number : numbers) {
            arguments.push_back(number.data());
        }
        arguments.push_back(nullptr);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    report.b.reset();
    const std::string seen = read_all(report.a);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    return seen;
}

ssize_t read_one(int fd) {
    char c = 0;
    io::options o;
    return io::read(fd, &c, 1, o);
}

int pending(int fd) {
    int queued = 0;
    check(::ioctl(fd, FIONREAD, &queued), "FIONREAD");
    return queued;
}

TEST(another_program, sees_nothing_of_waits_in_progress) {
    const fd_pair tcp = tcp_pair();
    const fd_pair local = unix_pair();
    const fd_pair pipe = pipe_pair();
    const owned_fd listener = tcp_listener();
    int master_fd = -1;
    int slave_fd = -1;
    ASSERT_EQ(::openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr), 0);
    const owned_fd master(master_fd);
    const owned_fd slave(slave_fd);
    std::vector<tendril::fiber<ssize_t>> readers;
    for (const int fd : {+tcp.a, +local.a, +pipe.a, +slave}) {
        readers.push_back(tendril::spawn([fd] { return read_one(fd); }));
    }
    auto acceptor = tendril::spawn([&] {
        io::options o;
        return owned_fd(io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC, o)) >= 0;
    });
    const std::string text(1'000'000, 'x');
    auto writer = tendril::spawn([&] {
        io::options o;
        return io::write(tcp.b, text.data(), text.size(), o);
    });
    settle();
    EXPECT_EQ(
        seen_by_another_program({tcp.a, tcp.b, local.a, pipe.a, pipe.b, slave, master, listener}),
        "bbbbbbbb");
    for (const int fd : {+local.b, +pipe.b}) {
        ASSERT_EQ(::write(fd, "x", 1), 1);
    }
    ASSERT_EQ(::write(master, "x\n", 2), 2);
    const owned_fd client = tcp_client(listener);
    for (auto& reader : readers) {
        EXPECT_EQ(reader.get(), 1);
    }
    EXPECT_TRUE(acceptor.get());
    std::vector<char> there(text.size());
    io::options o;
    EXPECT_EQ(io::recv(tcp.a, there.data(), there.size() - 1, MSG_WAITALL, o),
              static_cast<ssize_t>(there.size() - 1));
    EXPECT_EQ(writer.get(), static_cast<ssize_t>(text.size()));
}

TEST(another_program, sees_nothing_of_a_connect_in_progress) {
    const owned_fd listener = tcp_listener(0);
    const sockaddr_in address = local_address(listener);
    std::vector<owned_fd> queued;
    for (int i = 0; i < 3; ++i) {
        queued.emplace_back(
            check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
        ::connect(queued.back(), as_sockaddr(address), sizeof address);
    }
    owned_fd fd(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    auto connecting = tendril::spawn([&] {
        io::options o;
        return io::connect(fd, as_sockaddr(address), sizeof address, o);
    });
    settle();
    EXPECT_FALSE(connecting.ready());
    EXPECT_EQ(seen_by_another_program({fd}), "b");
    fd.reset();
    EXPECT_EQ(connecting.get(), -EBADF);
}

// Ours keep O_NONBLOCK as long as they are ours alone.
TEST(another_program, sees_no_flag_of_our_own_sockets) {
    auto listener = tendril::net::tcp_listener::listen("127.0.0.1:0");
    auto accepting = tendril::spawn([&] { return listener.accept(); });
    auto client = tendril::net::tcp_stream::connect(listener.local());
    auto server = accepting.get();
    const std::vector<int> fds{listener.native_handle(), client.native_handle(),
                               server.native_handle()};
    EXPECT_EQ(io::get_flags(fds[1]) & O_NONBLOCK, 0);
    EXPECT_TRUE(is_nonblocking(fds[1]));
    EXPECT_EQ(seen_by_another_program(fds), "bbb");
    // They work on, without it.
    EXPECT_FALSE(is_nonblocking(fds[1]));
    auto reading = tendril::spawn([&] { return read_one(fds[2]); });
    settle();
    EXPECT_FALSE(reading.ready());
    io::options o;
    EXPECT_EQ(io::write(fds[1], "x", 1, o), 1);
    EXPECT_EQ(reading.get(), 1);
    auto again = tendril::spawn([&] { return listener.accept(); });
    settle();
    EXPECT_FALSE(again.ready());
    auto another = tendril::net::tcp_stream::connect(listener.local());
    EXPECT_GE(again.get().native_handle(), 0);
}

TEST(another_process, that_is_sent_one_of_our_sockets_finds_it_blocking) {
    auto listener = tendril::net::tcp_listener::listen("127.0.0.1:0");
    const int fd = listener.native_handle();
    ASSERT_TRUE(is_nonblocking(fd));
    const fd_pair way = unix_pair();
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> room{};
    char byte = 'x';
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    cmsghdr* const control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(control), &fd, sizeof fd);
    io::options o;
    ASSERT_EQ(io::sendmsg(way.a, &message, 0, o), 1);
    EXPECT_FALSE(is_nonblocking(fd));
}

/// A process that shares the reading end and takes what it can get, knowing nothing of fibers. Says
/// 'N' if it ever sees O_NONBLOCK, else 'b' for each byte.
pid_t start_thief(int from, const fd_pair& report, const std::vector<int>& not_its_own) {
    const pid_t thief = ::fork();
    if (thief != 0) {
        return thief;
    }
    for (const int fd : not_its_own) {
        ::close(fd);
    }
    for (;;) {
        char c = 0;
        const ssize_t n = ::read(from, &c, 1);
        if (n == 0) {
            ::_exit(0);
        }
        c = n < 0 || is_nonblocking(from) ? 'N' : 'b';
        if (::write(report.b, &c, 1) != 1) {
            ::_exit(1);
        }
    }
}

TEST(a_thief, does_not_stop_the_hub) {
    constexpr int rounds = 2000;
    fd_pair pipe = pipe_pair();
    fd_pair report = pipe_pair();
    const pid_t thief = start_thief(pipe.a, report, {pipe.b, report.a});
    ASSERT_GE(thief, 0);
    report.b.reset();
    int here = 0;
    int there = 0;
    auto reader = tendril::spawn([&] {
        while (read_one(pipe.a) == 1) {
            ++here;
        }
    });
    auto counter = tendril::spawn([&] {
        const std::string said = read_all(report.a);
        EXPECT_EQ(said.find('N'), std::string::npos);
        there = static_cast<int>(said.size());
    });
    io::options o;
    for (int i = 0; i < rounds; ++i) {
        ASSERT_EQ(io::write(pipe.b, "x", 1, o), 1);
        // Each is somebody's before the next comes: who polls and then reads would often be late.
        while (pending(pipe.a) > 0) {
            settle();
        }
    }
    pipe.b.reset();
    reader.join();
    counter.join();
    EXPECT_EQ(here + there, rounds);
    int status = -1;
    EXPECT_EQ(::waitpid(thief, &status, 0), thief);
    EXPECT_EQ(status, 0);
}

// The same, at the worst moment: after the hub learnt of the data and before it reads.
TEST(a_thief, that_comes_just_before_does_not_either) {
    static int thefts;
    thefts = 3;
    const tendril::sys::calls saved = tendril::sys::real;
    tendril::sys::real.preadv2 = [](int fd, const iovec* iov, int count, off_t at, int flags) {
        char c = 0;
        if (thefts > 0 && pending(fd) > 0) {
            --thefts;
            EXPECT_EQ(::read(fd, &c, 1), 1);
        }
        return ::preadv2(fd, iov, count, at, flags);
    };
    const fd_pair pipe = pipe_pair();
    auto reader = tendril::spawn([&] { return read_one(pipe.a); });
    for (int round = 0; round < 3; ++round) {
        settle();
        ASSERT_EQ(::write(pipe.b, "x", 1), 1);
        settle();
        EXPECT_EQ(thefts, 2 - round);
        EXPECT_FALSE(reader.ready());
    }
    ASSERT_EQ(::write(pipe.b, "x", 1), 1);
    EXPECT_EQ(reader.get(), 1);
    tendril::sys::real = saved;
}

} // namespace
