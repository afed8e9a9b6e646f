// SPDX-License-Identifier: BSL-1.0
// read: when it waits, when it does not, and what it must not miss.
#include "io/operations.hpp"
#include "support/sockets.hpp"
#include "support/transfers.hpp"
#include "sys/calls.hpp"

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <sys/eventfd.h>
#include <tendril/fiber.hpp>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

/// Counts the calls that reach the kernel.
class counted {
public:
    counted()
        : saved_(tendril::sys::real) {
        calls = {};
        tendril::sys::real.recv = [](int fd, void* p, size_t n, int flags) {
            ++calls.recv;
            return ::recv(fd, p, n, flags);
        };
        tendril::sys::real.epoll_ctl = [](int e, int op, int fd, epoll_event* ev) noexcept {
            ++calls.epoll_ctl;
            return ::epoll_ctl(e, op, fd, ev);
        };
    }
    ~counted() { tendril::sys::real = saved_; }
    static inline struct { int recv, epoll_ctl; } calls{};

private:
    tendril::sys::calls saved_;
};

class read_from : public testing::TestWithParam<fd_pair (*)()> {
protected:
    fd_pair pair_ = GetParam()();
};

TEST_P(read_from, waits_for_data) {
    auto reader = tendril::spawn([&] { return read_some(pair_.a); });
    settle();
    EXPECT_FALSE(reader.ready());
    put(pair_.b, "hello");
    EXPECT_EQ(reader.get(), "hello");
}

TEST_P(read_from, returns_at_once_what_is_there) {
    put(pair_.b, "hello");
    io::options o;
    std::array<char, 10> buffer{};
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), 5);
    EXPECT_FALSE(o.waited);
}

TEST_P(read_from, sees_the_end) {
    auto reader = tendril::spawn([&] { return read_some(pair_.a); });
    settle();
    pair_.b.reset();
    EXPECT_EQ(reader.get(), "");
}

TEST_P(read_from, sees_the_end_that_came_with_data) {
    auto reader = tendril::spawn([&] {
        const std::string first = read_some(pair_.a);
        return first + "|" + read_some(pair_.a) + "|" + read_some(pair_.a);
    });
    settle();
    put(pair_.b, "last");
    pair_.b.reset();
    EXPECT_EQ(reader.get(), "last||");
}

TEST_P(read_from, sees_the_end_that_came_after_a_short_read) {
    auto reader = tendril::spawn([&] {
        std::string all;
        for (std::string part = "-"; !part.empty(); all += part + ";") {
            part = read_some(pair_.a);
        }
        return all;
    });
    settle();
    put(pair_.b, "one");
    settle();
    put(pair_.b, "two");
    settle();
    pair_.b.reset();
    EXPECT_EQ(reader.get().substr(0, 3), "one");
}

TEST_P(read_from, leaves_the_description_blocking) {
    auto reader = tendril::spawn([&] { return read_some(pair_.a); });
    settle();
    EXPECT_FALSE(is_nonblocking(pair_.a));
    put(pair_.b, "x");
    reader.join();
    EXPECT_FALSE(is_nonblocking(pair_.a));
}

TEST_P(read_from, stops_at_the_deadline) {
    std::array<char, 10> buffer{};
    io::options o = in(5ms);
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), -ETIMEDOUT);
    EXPECT_TRUE(o.waited);
    put(pair_.b, "late");
    EXPECT_EQ(read_some(pair_.a), "late");
}

TEST_P(read_from, tries_once_when_the_deadline_is_past) {
    std::array<char, 10> buffer{};
    io::options o = in(-1ms);
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), -ETIMEDOUT);
    put(pair_.b, "x");
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), 1);
    put(pair_.b, "y"); // known to have been empty
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), 1);
}

TEST_P(read_from, gives_a_nonblocking_program_eagain) {
    set_nonblocking(pair_.a);
    std::array<char, 10> buffer{};
    io::options o;
    o.as_program = true;
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), -EAGAIN);
    EXPECT_FALSE(o.waited);
    put(pair_.b, "x");
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), 1);
    EXPECT_EQ(io::read(pair_.a, buffer.data(), buffer.size(), o), -EAGAIN);
}

TEST_P(read_from, waits_although_nonblocking_by_our_own_interface) {
    set_nonblocking(pair_.a);
    auto reader = tendril::spawn([&] { return read_some(pair_.a); });
    settle();
    put(pair_.b, "x");
    EXPECT_EQ(reader.get(), "x");
}

TEST_P(read_from, hands_readiness_on_to_the_next_reader) {
    std::vector<tendril::fiber<std::string>> readers;
    for (int i = 0; i < 3; ++i) {
        readers.push_back(tendril::spawn([&] { return read_some(pair_.a, 1); }));
    }
    settle();
    for (const char* text : {"a", "b", "c"}) {
        put(pair_.b, text); // one report for all three, because the hub does not run meanwhile
    }
    std::string all;
    for (auto& reader : readers) {
        all += reader.get();
    }
    EXPECT_EQ(all, "abc");
}

TEST_P(read_from, wakes_every_reader_at_the_end) {
    std::vector<tendril::fiber<std::string>> readers;
    for (int i = 0; i < 3; ++i) {
        readers.push_back(tendril::spawn([&] { return read_some(pair_.a); }));
    }
    settle();
    pair_.b.reset();
    for (auto& reader : readers) {
        EXPECT_EQ(reader.get(), "");
    }
}

TEST_P(read_from, scatters) {
    auto reader = tendril::spawn([&] {
        std::array<char, 3> one{};
        std::array<char, 10> two{};
        const std::array<iovec, 2> iov{iovec{one.data(), one.size()},
                                       iovec{two.data(), two.size()}};
        io::options o;
        const ssize_t n = io::readv(pair_.a, iov.data(), 2, o);
        return std::to_string(n) + std::string(one.data(), 3) + std::string(two.data(), 2);
    });
    settle();
    put(pair_.b, "abcde");
    EXPECT_EQ(reader.get(), "5abcde");
}

fd_pair unix_stream() {
    return unix_pair();
}

fd_pair seqpacket() {
    return unix_pair(SOCK_SEQPACKET);
}

std::string kind_name(const testing::TestParamInfo<fd_pair (*)()>& made) {
    constexpr std::array names{"tcp", "unix_stream", "seqpacket", "pipe"};
    return names.at(made.index);
}

INSTANTIATE_TEST_SUITE_P(every_kind, read_from,
                         testing::Values(&tcp_pair, &unix_stream, &seqpacket, &pipe_pair),
                         kind_name);

TEST(tcp, needs_one_call_per_short_read_and_no_registration) {
    fd_pair pair = tcp_pair();
    std::string got;
    auto reader = tendril::spawn([&] {
        for (std::string part = "-"; !part.empty(); got += part) {
            part = read_some(pair.a);
        }
    });
    settle();
    put(pair.b, "first");
    while (got.find("first") == std::string::npos) {
        settle();
    }
    {
        const counted count;
        for (int i = 1; i <= 10; ++i) {
            put(pair.b, "x");
            while (got.size() < 5U + static_cast<std::size_t>(i)) {
                settle();
            }
        }
        EXPECT_EQ(counted::calls.recv, 10);
        EXPECT_EQ(counted::calls.epoll_ctl, 0);
    }
    pair.b.reset();
    reader.join();
}

TEST(tcp, urgent_data_does_not_hide_what_follows) {
    fd_pair pair = tcp_pair();
    auto reader = tendril::spawn([&] {
        std::string all;
        while (all.find('z') == std::string::npos) {
            all += read_some(pair.a);
        }
        return all;
    });
    settle();
    put(pair.b, "abc");
    settle();
    ASSERT_EQ(::send(pair.b, "!", 1, MSG_OOB), 1);
    put(pair.b, "z");
    EXPECT_EQ(reader.get(), "abcz");
}

TEST(tcp, reset_by_the_peer_is_an_error) {
    fd_pair pair = tcp_pair();
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    const linger hard{1, 0};
    ASSERT_EQ(::setsockopt(pair.b, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    pair.b.reset();
    EXPECT_EQ(reader.get(), "error " + std::to_string(ECONNRESET));
}

TEST(read, of_a_pipe_where_the_kernel_has_no_nowait) {
    const tendril::sys::calls saved = tendril::sys::real;
    tendril::sys::real.preadv2 = [](int, const iovec*, int, off_t, int) -> ssize_t {
        errno = EOPNOTSUPP;
        return -1;
    };
    fd_pair pair = pipe_pair();
    auto reader = tendril::spawn([&] {
        const std::string first = read_some(pair.a);
        return first + read_some(pair.a);
    });
    settle();
    put(pair.b, "ab");
    settle();
    put(pair.b, "cd");
    EXPECT_EQ(reader.get(), "abcd");
    tendril::sys::real = saved;
}

TEST(read, of_a_counter) {
    const owned_fd counter(::eventfd(0, EFD_CLOEXEC));
    std::uint64_t got = 0;
    auto reader = tendril::spawn([&] {
        io::options o;
        return io::read(counter, &got, sizeof got, o);
    });
    settle();
    const std::uint64_t seven = 7;
    ASSERT_EQ(::write(counter, &seven, sizeof seven), 8);
    EXPECT_EQ(reader.get(), 8);
    EXPECT_EQ(got, 7U);
}

TEST(read, of_a_file_is_whole) {
    const owned_fd file(check(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), "open"));
    const std::string text(100'000, 'x');
    put(file, text);
    ASSERT_EQ(::lseek(file, 0, SEEK_SET), 0);
    EXPECT_EQ(read_some(file, 200'000), text);
    EXPECT_EQ(read_some(file), "");
}

TEST(read, of_what_the_reactor_does_not_take) {
    const owned_fd null(check(::open("/dev/null", O_RDWR | O_CLOEXEC), "open"));
    EXPECT_EQ(read_some(null), "");
    const owned_fd folder(check(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open"));
    EXPECT_EQ(read_some(folder), "error " + std::to_string(EISDIR));
    EXPECT_EQ(read_some(-1), "error " + std::to_string(EBADF));
    EXPECT_EQ(read_some(1'000'000), "error " + std::to_string(EBADF));
}

} // namespace
