// SPDX-License-Identifier: BSL-1.0
// Any number of fibers reading, writing and looking at one fd at once; one direction of a socket
// that ends while they wait; urgent data.
#include "io/operations.hpp"
#include "support/fd_waiters.hpp"
#include "support/sockets.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <tendril/fiber.hpp>
#include <thread>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

tendril::fiber<ssize_t> reader_of(int fd, std::size_t size = 1) {
    return tendril::spawn([fd, size] {
        std::string buffer(size, '\0');
        io::options o;
        return io::read(fd, buffer.data(), size, o);
    });
}

tendril::fiber<int> looker_at(int fd, short events) {
    return tendril::spawn([fd, events] {
        io::options o;
        return io::wait(fd, events, o);
    });
}

class shared_fd : public testing::TestWithParam<fd_pair (*)()> {
protected:
    fd_pair pair_ = GetParam()();
};

TEST_P(shared_fd, serves_readers_writers_and_lookers_at_once) {
    constexpr int each = 10;
    constexpr std::size_t much = 300'000;
    fill(pair_.a);
    std::vector<tendril::fiber<ssize_t>> readers;
    std::vector<tendril::fiber<ssize_t>> writers;
    std::vector<tendril::fiber<int>> lookers;
    for (int i = 0; i < each; ++i) {
        readers.push_back(reader_of(pair_.a));
        writers.push_back(tendril::spawn([&] {
            const std::string text(much, 'w');
            io::options o;
            return io::write(pair_.a, text.data(), text.size(), o);
        }));
        lookers.push_back(looker_at(pair_.a, POLLIN));
        lookers.push_back(looker_at(pair_.a, POLLOUT));
    }
    settle();
    EXPECT_EQ(count_waiters(pair_.a), 4 * each);

    // What comes wakes every looker for it, and one reader per byte; no writer.
    for (int i = 0; i < each; ++i) {
        ASSERT_EQ(::send(pair_.b, "r", 1, 0), 1);
    }
    for (auto& r : readers) {
        EXPECT_EQ(r.get(), 1);
    }
    for (int i = 0; i < 2 * each; i += 2) {
        EXPECT_EQ(lookers[static_cast<std::size_t>(i)].get(), POLLIN);
    }
    for (auto& w : writers) {
        EXPECT_FALSE(w.ready());
    }

    auto sink = tendril::spawn([&] {
        std::string buffer(much, '\0');
        std::size_t written = 0; // beside what filled it before
        while (written < each * much) {
            io::options o;
            const ssize_t n = io::read(pair_.b, buffer.data(), buffer.size(), o);
            written += static_cast<std::size_t>(
                std::count(buffer.begin(), buffer.begin() + std::max<ssize_t>(n, 0), 'w'));
        }
    });
    for (auto& w : writers) {
        EXPECT_EQ(w.get(), static_cast<ssize_t>(much));
    }
    for (int i = 1; i < 2 * each; i += 2) {
        EXPECT_EQ(lookers[static_cast<std::size_t>(i)].get(), POLLOUT);
    }
    sink.join();
    EXPECT_EQ(count_waiters(pair_.a), 0);
}

TEST_P(shared_fd, forgets_who_gave_up) {
    auto looker = tendril::spawn([&] {
        io::options o;
        o.deadline = std::chrono::steady_clock::now() + 5ms;
        return io::wait(pair_.a, POLLIN, o);
    });
    auto gives_up = tendril::spawn([&] {
        char byte;
        io::options o;
        o.deadline = std::chrono::steady_clock::now() + 5ms;
        return io::read(pair_.a, &byte, 1, o);
    });
    auto stays = reader_of(pair_.a);
    EXPECT_EQ(gives_up.get(), -ETIMEDOUT);
    EXPECT_EQ(looker.get(), 0);
    EXPECT_EQ(count_waiters(pair_.a), 1);
    ASSERT_EQ(::send(pair_.b, "x", 1, 0), 1);
    EXPECT_EQ(stays.get(), 1);
}

TEST_P(shared_fd, lets_one_peek_while_another_takes) {
    auto peeker = tendril::spawn([&] {
        char byte;
        io::options o;
        return io::recv(pair_.a, &byte, 1, MSG_PEEK, o);
    });
    auto taker = reader_of(pair_.a);
    settle();
    ASSERT_EQ(::send(pair_.b, "x", 1, 0), 1);
    EXPECT_EQ(peeker.get(), 1);
    EXPECT_EQ(taker.get(), 1);
}

TEST_P(shared_fd, ends_writers_when_sending_is_shut_down) {
    fill(pair_.a);
    std::vector<tendril::fiber<ssize_t>> writers;
    for (int i = 0; i < 3; ++i) {
        writers.push_back(tendril::spawn([&] {
            io::options o;
            return io::send(pair_.a, "more than fits", 14, MSG_NOSIGNAL, o);
        }));
    }
    auto reader = reader_of(pair_.a);
    settle();
    ASSERT_EQ(io::shutdown(pair_.a, SHUT_WR), 0);
    for (auto& w : writers) {
        EXPECT_EQ(w.get(), -EPIPE);
    }
    EXPECT_FALSE(reader.ready()) << "the other direction goes on";
    ASSERT_EQ(::send(pair_.b, "x", 1, 0), 1);
    EXPECT_EQ(reader.get(), 1);
}

TEST_P(shared_fd, ends_writers_on_other_hubs) {
    fill(pair_.a);
    ssize_t result = 0;
    std::thread writer([&] {
        io::options o;
        result = io::send(pair_.a, "more than fits", 14, MSG_NOSIGNAL, o);
    });
    await_waiters(pair_.a, 1);
    ASSERT_EQ(io::shutdown(pair_.a, SHUT_WR), 0);
    writer.join();
    EXPECT_EQ(result, -EPIPE);
}

TEST_P(shared_fd, ends_readers_when_either_side_ends_the_direction) {
    for (const bool by_peer : {true, false}) {
        fd_pair pair = GetParam()();
        std::vector<tendril::fiber<ssize_t>> readers;
        for (int i = 0; i < 3; ++i) {
            readers.push_back(reader_of(pair.a, 100));
        }
        auto looker = looker_at(pair.a, POLLIN | POLLRDHUP);
        settle();
        ASSERT_EQ(io::shutdown(by_peer ? pair.b : pair.a, by_peer ? SHUT_WR : SHUT_RD), 0);
        for (auto& r : readers) {
            EXPECT_EQ(r.get(), 0);
        }
        EXPECT_EQ(looker.get(), POLLIN | POLLRDHUP);
        io::options o;
        EXPECT_EQ(io::send(pair.a, "x", 1, 0, o), 1) << "the other direction goes on";
    }
}

fd_pair unix_stream() {
    return unix_pair();
}

INSTANTIATE_TEST_SUITE_P(kinds, shared_fd, testing::Values(narrow_tcp, unix_stream));

// ----------------------------------------------------------------------------------------- urgent

bool at_mark(int fd) {
    return check(::sockatmark(fd), "sockatmark") == 1;
}

TEST(urgent, is_taken_out_of_the_stream) {
    const fd_pair pair = tcp_pair();
    auto looker = looker_at(pair.a, POLLPRI);
    settle();
    io::options o;
    EXPECT_EQ(io::send(pair.b, "ab!", 3, MSG_OOB, o), 3);
    EXPECT_EQ(io::send(pair.b, "cd", 2, 0, o), 2);
    EXPECT_EQ(looker.get(), POLLPRI);
    std::array<char, 10> buffer{};
    EXPECT_EQ(io::recv(pair.a, buffer.data(), 1, MSG_OOB, o), 1);
    EXPECT_EQ(buffer[0], '!');
    EXPECT_EQ(io::recv(pair.a, buffer.data(), 1, MSG_OOB, o), -EINVAL) << "only once, tcp(7)";
    // A read stops at the mark, and what follows is not lost to the next.
    EXPECT_FALSE(at_mark(pair.a));
    EXPECT_EQ(io::read(pair.a, buffer.data(), buffer.size(), o), 2);
    EXPECT_TRUE(at_mark(pair.a));
    EXPECT_EQ(io::read(pair.a, buffer.data(), buffer.size(), o), 2);
    EXPECT_EQ(std::string(buffer.data(), 2), "cd");
}

TEST(urgent, stays_in_the_stream_if_told_to) {
    const fd_pair pair = tcp_pair();
    const int on = 1;
    check(::setsockopt(pair.a, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), "SO_OOBINLINE");
    // Readers that wait meet every part, whatever way it came.
    auto reader = tendril::spawn([&] {
        std::vector<std::string> parts;
        std::string all;
        while (all.size() < 5) {
            std::array<char, 10> buffer{};
            io::options o;
            const ssize_t n = io::read(pair.a, buffer.data(), buffer.size(), o);
            if (n <= 0) {
                break;
            }
            parts.emplace_back(buffer.data(), static_cast<std::size_t>(n));
            all += parts.back();
        }
        return parts;
    });
    settle();
    io::options o;
    EXPECT_EQ(io::send(pair.b, "ab!", 3, MSG_OOB, o), 3);
    EXPECT_EQ(io::send(pair.b, "cd", 2, 0, o), 2);
    const std::vector<std::string> parts = reader.get();
    ASSERT_GE(parts.size(), 2U);
    EXPECT_EQ(parts[0], "ab") << "up to the mark";
    std::string rest;
    std::for_each(parts.begin() + 1, parts.end(), [&](const std::string& p) { rest += p; });
    EXPECT_EQ(rest, "!cd");
}

TEST(urgent, wakes_who_looks_for_exceptions_and_not_who_looks_for_bytes) {
    const fd_pair pair = tcp_pair();
    auto exceptional = tendril::spawn([&] {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(pair.a, &set);
        io::options o;
        return io::select(pair.a + 1, nullptr, nullptr, &set, o);
    });
    auto bytes = looker_at(pair.a, POLLIN);
    settle();
    io::options o;
    EXPECT_EQ(io::send(pair.b, "!", 1, MSG_OOB, o), 1);
    EXPECT_EQ(exceptional.get(), 1);
    EXPECT_FALSE(bytes.ready());
    EXPECT_EQ(io::send(pair.b, "x", 1, 0, o), 1);
    EXPECT_EQ(bytes.get(), POLLIN);
}

TEST(urgent, is_sent_without_blocking_the_hub) {
    fd_pair pair = narrow_tcp();
    fill(pair.b);
    auto sender = tendril::spawn([&] {
        io::options o;
        const std::string text(300'000, 'u');
        return io::send(pair.b, text.data(), text.size(), MSG_OOB, o);
    });
    settle(); // would never come back
    EXPECT_FALSE(sender.ready());
    auto sink = tendril::spawn([&] {
        std::string buffer(100'000, '\0');
        io::options o;
        while (io::read(pair.a, buffer.data(), buffer.size(), o) > 0) {
        }
    });
    EXPECT_EQ(sender.get(), 300'000);
    pair.b.reset();
    sink.join();
}

} // namespace
