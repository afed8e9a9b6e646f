// SPDX-License-Identifier: BSL-1.0
// The public io::, by its header alone: POSIX's results, and exceptions with the real errno.
#include <tendril/fiber.hpp>
#include <tendril/io.hpp>

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
namespace io = tendril::io;

struct pair_of_fds {
    std::array<int, 2> fds{};
    explicit pair_of_fds(int type = SOCK_STREAM) {
        EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()), 0);
    }
    pair_of_fds(const pair_of_fds&) = delete;
    pair_of_fds& operator=(const pair_of_fds&) = delete;
    ~pair_of_fds() {
        for (const int fd : fds) {
            if (fd >= 0) {
                io::close(fd);
            }
        }
    }
    int operator[](std::size_t i) const { return fds.at(i); }
};

/// The error of `f()`, and its text up to the system's own words.
template <typename F>
std::pair<int, std::string> error_of(F f) {
    try {
        f();
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().category(), std::system_category());
        const std::string what = e.what();
        return {e.code().value(), what.substr(0, what.find(':'))};
    }
    return {0, ""};
}

TEST(io, reads_and_writes) {
    const pair_of_fds pair;
    auto echo = tendril::spawn([&] {
        std::array<char, 10> buffer{};
        const std::size_t n = io::read(pair[0], buffer.data(), buffer.size());
        return io::write(pair[0], buffer.data(), n);
    });
    EXPECT_EQ(io::send(pair[1], "hello", 5), 5U);
    std::array<char, 10> buffer{};
    EXPECT_EQ(io::recv(pair[1], buffer.data(), 5, MSG_WAITALL), 5U);
    EXPECT_EQ(std::string(buffer.data()), "hello");
    EXPECT_EQ(echo.get(), 5U);
}

TEST(io, scatters_and_gathers) {
    const pair_of_fds pair;
    std::string a = "ab";
    std::string b = "cd";
    std::array<iovec, 2> iov{iovec{a.data(), 2}, iovec{b.data(), 2}};
    EXPECT_EQ(io::writev(pair[0], iov.data(), 2), 4U);
    a = b = "--";
    EXPECT_EQ(io::readv(pair[1], iov.data(), 2), 4U);
    EXPECT_EQ(a + b, "abcd");
    msghdr message{};
    message.msg_iov = iov.data();
    message.msg_iovlen = 2;
    EXPECT_EQ(io::sendmsg(pair[0], &message), 4U);
    a = b = "--";
    EXPECT_EQ(io::recvmsg(pair[1], &message), 4U);
    EXPECT_EQ(a + b, "abcd");
}

TEST(io, connects_and_accepts) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener, generic, size), 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    ASSERT_EQ(::getsockname(listener, generic, &size), 0);
    auto server = tendril::spawn([&] {
        const int fd = io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        io::send(fd, "x", 1);
        io::close(fd);
    });
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    io::connect(client, generic, size, 10s);
    char c = 0;
    EXPECT_EQ(io::recv(client, &c, 1), 1U);
    EXPECT_EQ(io::recv(client, &c, 1), 0U);
    server.get();
    io::close(client);
    EXPECT_EQ(error_of([&] { io::accept4(listener, nullptr, nullptr, 0, 1ms); }),
              std::pair(ETIMEDOUT, "accept fd " + std::to_string(listener)));
    io::close(listener);
    const int late = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(error_of([&] { io::connect(late, generic, size); }),
              std::pair(ECONNREFUSED, "connect fd " + std::to_string(late)));
    io::close(late);
}

TEST(io, sends_datagrams) {
    const pair_of_fds pair(SOCK_DGRAM);
    EXPECT_EQ(io::sendto(pair[0], "x", 1, 0, nullptr, 0), 1U);
    std::array<char, 10> buffer{};
    EXPECT_EQ(io::recvfrom(pair[1], buffer.data(), buffer.size(), 0, nullptr, nullptr), 1U);
}

TEST(io, sends_and_receives_many_datagrams_at_once) {
    const pair_of_fds pair(SOCK_DGRAM);
    std::string a = "one";
    std::string b = "two";
    std::array<iovec, 2> iov{iovec{a.data(), 3}, iovec{b.data(), 3}};
    std::array<mmsghdr, 2> messages{};
    for (std::size_t i = 0; i < 2; ++i) {
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    EXPECT_EQ(io::sendmmsg(pair[0], messages.data(), 2), 2U);
    a = b = "---";
    EXPECT_EQ(io::recvmmsg(pair[1], messages.data(), 2), 2U);
    EXPECT_EQ(a + b, "onetwo");
    EXPECT_EQ(error_of([&] { io::recvmmsg(pair[1], messages.data(), 2, 0, 1ms); }),
              std::pair(ETIMEDOUT, "recvmmsg fd " + std::to_string(pair[1])));
    io::send(pair[0], "x", 1);
    EXPECT_EQ(io::recvmmsg(pair[1], messages.data(), 2, 0, 1ms), 1U) << "what came in time";
    EXPECT_EQ(io::sendmmsg(pair[0], messages.data(), 1), 1U);
    EXPECT_EQ(io::recvmmsg(pair[1], messages.data(), 2, MSG_WAITFORONE), 1U);
}

TEST(io, sends_files) {
    const pair_of_fds pair;
    const int self = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    off_t offset = 1;
    EXPECT_EQ(io::sendfile(pair[0], self, &offset, 3), 3U);
    EXPECT_EQ(offset, 4);
    std::array<char, 4> buffer{};
    EXPECT_EQ(io::recv(pair[1], buffer.data(), 3, MSG_WAITALL), 3U);
    EXPECT_EQ(std::string(buffer.data()), "ELF");
    EXPECT_EQ(error_of([&] { io::sendfile(pair[0], -1, nullptr, 1); }),
              std::pair(EBADF, "sendfile fd " + std::to_string(pair[0])));
    io::close(self);
}

TEST(io, shuts_down) {
    const pair_of_fds pair;
    auto reader = tendril::spawn([&] {
        char c = 0;
        return io::read(pair[0], &c, 1);
    });
    tendril::this_fiber::yield();
    io::shutdown(pair[0], SHUT_RD);
    EXPECT_EQ(reader.get(), 0U);
    EXPECT_EQ(error_of([] { io::shutdown(-1, SHUT_RD); }), std::pair(EBADF, "shutdown fd -1"s));
}

TEST(io, waits_although_nonblocking) {
    const pair_of_fds pair(SOCK_STREAM | SOCK_NONBLOCK);
    char c = 0;
    EXPECT_EQ(error_of([&] { io::read(pair[0], &c, 1, 1ms); }),
              std::pair(ETIMEDOUT, "read fd " + std::to_string(pair[0])));
    EXPECT_EQ(error_of([&] { io::recv(pair[0], &c, 1, MSG_DONTWAIT); }).first, EAGAIN);
}

TEST(io, takes_limits_of_any_kind) {
    const pair_of_fds pair;
    char c = 0;
    const auto late = [&](io::deadline limit) {
        return error_of([&] { io::read(pair[0], &c, 1, limit); }).first;
    };
    EXPECT_EQ(late(-1h), ETIMEDOUT);
    EXPECT_EQ(late(0ns), ETIMEDOUT);
    EXPECT_EQ(late(std::chrono::duration<double>(0.001)), ETIMEDOUT);
    EXPECT_EQ(late(std::chrono::steady_clock::now()), ETIMEDOUT);
    io::write(pair[1], "x", 1);
    EXPECT_EQ(late(std::chrono::hours::max()), 0);
}

TEST(io, polls_and_selects) {
    const pair_of_fds pair;
    pollfd p{pair[0], POLLIN, 0};
    EXPECT_EQ(io::poll(&p, 1, 1ms), 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pair[0], &set);
    EXPECT_EQ(io::select(pair[0] + 1, &set, nullptr, nullptr, 1ms), 0);
    io::write(pair[1], "x", 1);
    EXPECT_EQ(io::poll(&p, 1), 1);
    FD_SET(pair[0], &set);
    EXPECT_EQ(io::select(pair[0] + 1, &set, nullptr, nullptr), 1);
    EXPECT_EQ(error_of([&] { io::select(-1, nullptr, nullptr, nullptr); }),
              std::pair(EINVAL, std::string("select")));
}

TEST(io, close_wakes_with_ebadf) {
    pair_of_fds pair;
    const int fd = pair[0];
    auto reader = tendril::spawn([&] {
        char c = 0;
        return error_of([&] { io::recv(fd, &c, 1); });
    });
    tendril::this_fiber::yield();
    io::close(fd);
    pair.fds[0] = -1;
    EXPECT_EQ(reader.get(), std::pair(EBADF, "recv fd " + std::to_string(fd)));
    EXPECT_EQ(error_of([] { io::close(-1); }), std::pair(EBADF, std::string("close fd -1")));
}

} // namespace
