// SPDX-License-Identifier: BSL-1.0
// write and send: all of it, as POSIX has it for blocking descriptors.
#include "io/operations.hpp"
#include "support/pattern.hpp"
#include "support/sockets.hpp"
#include "sys/calls.hpp"

#include <array>
#include <chrono>
#include <climits>
#include <functional>
#include <gtest/gtest.h>
#include <pty.h>
#include <string>
#include <tendril/fiber.hpp>
#include <termios.h>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

fd_pair unix_stream() {
    return unix_pair();
}

/// a reads what b writes.
class write_to : public testing::TestWithParam<fd_pair (*)()> {
protected:
    fd_pair pair_ = GetParam()();
    const std::string text_ = pattern(3'000'000);

    void expect_whole(const std::function<ssize_t(io::options&)>& write_text) {
        auto reader = tendril::spawn([&] { return read_all(pair_.a); });
        io::options o;
        EXPECT_EQ(write_text(o), static_cast<ssize_t>(text_.size()));
        EXPECT_TRUE(o.waited);
        EXPECT_FALSE(::tendril::test::is_nonblocking(pair_.b));
        pair_.b.reset();
        EXPECT_TRUE(reader.get() == text_);
    }
};

TEST_P(write_to, goes_on_until_all_is_written) {
    expect_whole([&](io::options& o) { return io::write(pair_.b, text_.data(), text_.size(), o); });
}

TEST_P(write_to, gathers_until_all_is_written) {
    std::vector<iovec> iov;
    for (std::size_t at = 0; at < text_.size(); at += 100'000) {
        iov.push_back({const_cast<char*>(text_.data()) + at, 100'000});
    }
    const std::vector<iovec> before = iov;
    expect_whole([&](io::options& o) {
        return io::writev(pair_.b, iov.data(), static_cast<int>(iov.size()), o);
    });
    for (std::size_t i = 0; i < iov.size(); ++i) {
        EXPECT_EQ(iov[i].iov_base, before[i].iov_base);
        EXPECT_EQ(iov[i].iov_len, before[i].iov_len);
    }
}

TEST_P(write_to, says_how_much_was_written_by_the_deadline) {
    io::options o;
    o.deadline = std::chrono::steady_clock::now() + 5ms;
    const ssize_t n = io::write(pair_.b, text_.data(), text_.size(), o);
    EXPECT_GT(n, 0);
    EXPECT_LT(n, static_cast<ssize_t>(text_.size()));
    EXPECT_EQ(io::write(pair_.b, text_.data(), 1, o), -ETIMEDOUT);
}

TEST_P(write_to, gives_a_nonblocking_program_a_short_write) {
    set_nonblocking(pair_.b);
    io::options o;
    o.as_program = true;
    const ssize_t n = io::write(pair_.b, text_.data(), text_.size(), o);
    EXPECT_GT(n, 0);
    EXPECT_LT(n, static_cast<ssize_t>(text_.size()));
    EXPECT_FALSE(o.waited);
    ssize_t more = n;
    while ((more = io::write(pair_.b, text_.data(), text_.size(), o)) > 0) {
    }
    EXPECT_EQ(more, -EAGAIN);
}

TEST_P(write_to, fails_when_nobody_reads) {
    ::signal(SIGPIPE, SIG_IGN);
    auto writer = tendril::spawn([&] {
        io::options o;
        return io::write(pair_.b, text_.data(), text_.size(), o);
    });
    settle();
    pair_.a.reset();
    const ssize_t n = writer.get();
    EXPECT_TRUE(n > 0 || n == -EPIPE || n == -ECONNRESET) << n;
    io::options o;
    const ssize_t again = io::write(pair_.b, "x", 1, o);
    EXPECT_TRUE(again == -EPIPE || again == -ECONNRESET) << again;
}

INSTANTIATE_TEST_SUITE_P(
    every_kind, write_to, testing::Values(&narrow_tcp, &unix_stream, &pipe_pair),
    [](const testing::TestParamInfo<fd_pair (*)()>& made) {
        return std::string(std::array{"tcp", "unix_stream", "pipe"}.at(made.index));
    });

TEST(write, to_a_pipe_where_the_kernel_has_no_nowait) {
    const tendril::sys::calls saved = tendril::sys::real;
    tendril::sys::real.pwritev2 = [](int, const iovec*, int, off_t, int) -> ssize_t {
        errno = EOPNOTSUPP;
        return -1;
    };
    fd_pair pair = pipe_pair();
    const std::string text = pattern(300'000);
    auto reader = tendril::spawn([&] { return read_all(pair.a); });
    io::options o;
    EXPECT_EQ(io::write(pair.b, text.data(), text.size(), o), static_cast<ssize_t>(text.size()));
    pair.b.reset();
    EXPECT_TRUE(reader.get() == text);
    tendril::sys::real = saved;
}

TEST(write, to_a_pipe_is_atomic_up_to_pipe_buf) {
    fd_pair pair = pipe_pair();
    const std::string fill(static_cast<std::size_t>(::fcntl(pair.b, F_GETPIPE_SZ)) - PIPE_BUF + 1,
                           '.');
    ASSERT_EQ(::write(pair.b, fill.data(), fill.size()), static_cast<ssize_t>(fill.size()));
    const std::string text(PIPE_BUF, 'x');
    auto writer = tendril::spawn([&] {
        io::options o;
        return io::write(pair.b, text.data(), text.size(), o);
    });
    settle();
    EXPECT_FALSE(writer.ready());
    int queued = 0;
    ASSERT_EQ(::ioctl(pair.a, FIONREAD, &queued), 0);
    EXPECT_EQ(queued, static_cast<int>(fill.size()));
    auto reader = tendril::spawn([&] { return read_all(pair.a); });
    EXPECT_EQ(writer.get(), PIPE_BUF);
    pair.b.reset();
    EXPECT_EQ(reader.get(), fill + text);
}

TEST(write, to_a_terminal_that_is_full) {
    int master = -1;
    int slave = -1;
    ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    const owned_fd a(master);
    owned_fd b(slave);
    termios raw{};
    ::tcgetattr(b, &raw);
    ::cfmakeraw(&raw);
    ::tcsetattr(b, TCSANOW, &raw);
    const std::string text = pattern(100'000);
    auto writer = tendril::spawn([&] {
        io::options o;
        return io::write(b, text.data(), text.size(), o);
    });
    std::string got;
    std::array<char, 5000> part{};
    while (got.size() < text.size()) {
        io::options o;
        const ssize_t n = io::read(a, part.data(), part.size(), o);
        ASSERT_GT(n, 0);
        got.append(part.data(), static_cast<std::size_t>(n));
    }
    EXPECT_TRUE(got == text);
    EXPECT_EQ(writer.get(), static_cast<ssize_t>(text.size()));
    EXPECT_FALSE(is_nonblocking(b));
}

TEST(write, of_nothing_to_a_datagram_socket_sends_an_empty_datagram) {
    const fd_pair pair = unix_pair(SOCK_DGRAM);
    io::options o;
    EXPECT_EQ(io::write(pair.a, "", 0, o), 0);
    char c = 0;
    EXPECT_EQ(::recv(pair.b, &c, 1, MSG_DONTWAIT), 0);
}

TEST(write, to_a_file) {
    const owned_fd file(check(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), "open"));
    const std::string text = pattern(1'000'000);
    io::options o;
    EXPECT_EQ(io::write(file, text.data(), text.size(), o), static_cast<ssize_t>(text.size()));
    EXPECT_EQ(::lseek(file, 0, SEEK_END), static_cast<off_t>(text.size()));
    EXPECT_EQ(io::write(-1, "x", 1, o), -EBADF);
}

TEST(writev, refuses_what_the_kernel_refuses) {
    const fd_pair pair = tcp_pair();
    const std::vector<iovec> many(IOV_MAX + 1);
    io::options o;
    EXPECT_EQ(io::writev(pair.a, many.data(), IOV_MAX + 1, o), -EINVAL);
    EXPECT_EQ(io::writev(pair.a, many.data(), -1, o), -EINVAL);
    EXPECT_EQ(io::readv(pair.a, many.data(), -1, o), -EINVAL);
}

// AF_UNIX says writable although the receiver is full, so no edge would ever come.
TEST(sendto, a_full_unix_receiver) {
    const owned_fd receiver(check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    check(::bind(receiver, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), "bind");
    socklen_t size = sizeof address;
    check(::getsockname(receiver, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    const owned_fd sender(check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
    int queued = 0;
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    while (::sendto(sender, "x", 1, MSG_DONTWAIT, to, size) == 1) {
        ++queued;
    }
    ASSERT_EQ(errno, EAGAIN);
    io::options limited;
    limited.deadline = std::chrono::steady_clock::now() + 3ms;
    EXPECT_EQ(io::sendto(sender, "y", 1, 0, to, size, limited), -ETIMEDOUT);
    auto waiting = tendril::spawn([&] {
        io::options o;
        return io::sendto(sender, "y", 1, 0, to, size, o);
    });
    settle();
    EXPECT_FALSE(waiting.ready());
    char c = 0;
    ASSERT_EQ(::recv(receiver, &c, 1, MSG_DONTWAIT), 1);
    EXPECT_EQ(waiting.get(), 1);
}

TEST(send, a_full_connected_receiver) {
    const fd_pair pair = unix_pair(SOCK_DGRAM);
    while (::send(pair.a, "x", 1, MSG_DONTWAIT) == 1) {
    }
    auto waiting = tendril::spawn([&] {
        io::options o;
        return io::send(pair.a, "y", 1, 0, o);
    });
    settle();
    EXPECT_FALSE(waiting.ready());
    char c = 0;
    while (::recv(pair.b, &c, 1, MSG_DONTWAIT) == 1) {
    }
    EXPECT_EQ(waiting.get(), 1);
}

TEST(send, honours_the_send_timeout_of_a_program) {
    const fd_pair pair = narrow_tcp();
    const timeval timeout{0, 5'000};
    ASSERT_EQ(::setsockopt(pair.b, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout), 0);
    const std::string text = pattern(10'000'000);
    io::options o;
    o.as_program = true;
    const ssize_t n = io::send(pair.b, text.data(), text.size(), 0, o);
    EXPECT_GT(n, 0);
    EXPECT_LT(n, static_cast<ssize_t>(text.size()));
    EXPECT_EQ(io::send(pair.b, text.data(), text.size(), 0, o), -EAGAIN);
}

TEST(sendmmsg, waits_for_room) {
    const fd_pair pair = unix_pair(SOCK_DGRAM);
    constexpr unsigned count = 1000;
    std::string bytes(count, 'x');
    std::vector<iovec> iov(count);
    std::vector<mmsghdr> messages(count);
    for (std::size_t i = 0; i < count; ++i) {
        iov[i] = {&bytes[i], 1};
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    auto sender = tendril::spawn([&] {
        io::options o;
        return io::sendmmsg(pair.a, messages.data(), count, 0, o);
    });
    for (unsigned i = 0; i < count; ++i) {
        char c = 0;
        io::options o;
        ASSERT_EQ(io::recv(pair.b, &c, 1, 0, o), 1);
    }
    EXPECT_EQ(sender.get(), static_cast<int>(count));
}

} // namespace
