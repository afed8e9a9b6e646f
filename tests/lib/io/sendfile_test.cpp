// SPDX-License-Identifier: BSL-1.0
// sendfile: to whatever can be written to, waiting for room, with or without the kernel's copying.
#include "io/operations.hpp"
#include "support/pattern.hpp"
#include "support/sockets.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <sys/sendfile.h>
#include <tendril/fiber.hpp>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

owned_fd file_of(const std::string& text) {
    std::string name = "/tmp/tendril_test_XXXXXX";
    owned_fd fd(check(::mkstemp(name.data()), "mkstemp"));
    ::unlink(name.c_str());
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    check(static_cast<int>(::lseek(fd, 0, SEEK_SET)), "lseek");
    return fd;
}

fd_pair nonblocking(fd_pair pair) {
    set_nonblocking(pair.b);
    return pair;
}

fd_pair unix_stream() {
    return unix_pair();
}

/// a reads what b is sent.
class sendfile_to : public testing::TestWithParam<fd_pair (*)()> {
protected:
    fd_pair pair_ = GetParam()();
    const std::string text_ = pattern(9'000'000);
    owned_fd file_ = file_of(text_);
};

TEST_P(sendfile_to, goes_on_until_all_is_sent) {
    const bool flag = is_nonblocking(pair_.b);
    auto reader = tendril::spawn([&] { return read_all(pair_.a); });
    io::options o;
    off_t offset = 5;
    EXPECT_EQ(io::sendfile(pair_.b, file_, &offset, text_.size() - 10, 0, o),
              static_cast<ssize_t>(text_.size() - 10));
    EXPECT_TRUE(o.waited);
    EXPECT_EQ(offset, static_cast<off_t>(text_.size() - 5));
    EXPECT_EQ(::lseek(file_, 0, SEEK_CUR), 0);
    EXPECT_EQ(is_nonblocking(pair_.b), flag);
    pair_.b.reset();
    EXPECT_TRUE(reader.get() == text_.substr(5, text_.size() - 10));
}

TEST_P(sendfile_to, moves_the_file_s_position_and_stops_at_its_end) {
    ::lseek(file_, static_cast<off_t>(text_.size()) - 10, SEEK_SET);
    io::options o;
    EXPECT_EQ(io::sendfile(pair_.b, file_, nullptr, 7, 0, o), 7);
    EXPECT_EQ(::lseek(file_, 0, SEEK_CUR), static_cast<off_t>(text_.size()) - 3);
    EXPECT_EQ(io::sendfile(pair_.b, file_, nullptr, 7, 0, o), 3);
    EXPECT_EQ(io::sendfile(pair_.b, file_, nullptr, 7, 0, o), 0);
    EXPECT_EQ(io::sendfile(pair_.b, file_, nullptr, 0, 0, o), 0);
    pair_.b.reset();
    EXPECT_EQ(read_all(pair_.a), text_.substr(text_.size() - 10));
}

TEST_P(sendfile_to, says_how_much_was_sent_by_the_deadline) {
    io::options o;
    o.deadline = std::chrono::steady_clock::now() + 10ms;
    off_t offset = 0;
    const ssize_t n = io::sendfile(pair_.b, file_, &offset, text_.size(), 0, o);
    EXPECT_GT(n, 0);
    EXPECT_LT(n, static_cast<ssize_t>(text_.size()));
    EXPECT_EQ(offset, n);
    EXPECT_EQ(io::sendfile(pair_.b, file_, &offset, text_.size(), 0, o), -ETIMEDOUT);
    EXPECT_EQ(offset, n);
    pair_.b.reset();
    EXPECT_TRUE(read_all(pair_.a) == text_.substr(0, static_cast<std::size_t>(n)));
}

TEST_P(sendfile_to, as_a_program_means_it) {
    io::options o;
    o.as_program = true;
    if (is_nonblocking(pair_.b)) {
        const ssize_t n = io::sendfile(pair_.b, file_, nullptr, text_.size(), 0, o);
        EXPECT_GT(n, 0);
        EXPECT_LT(n, static_cast<ssize_t>(text_.size()));
        EXPECT_EQ(io::sendfile(pair_.b, file_, nullptr, 1'000'000, 0, o), -EAGAIN);
        EXPECT_FALSE(o.waited);
    } else {
        auto reader = tendril::spawn([&] { return read_all(pair_.a); });
        EXPECT_EQ(io::sendfile(pair_.b, file_, nullptr, text_.size(), 0, o),
                  static_cast<ssize_t>(text_.size()));
        pair_.b.reset();
        EXPECT_EQ(reader.get().size(), text_.size());
    }
}

TEST_P(sendfile_to, fails_when_nobody_reads) {
    ASSERT_NE(::signal(SIGPIPE, SIG_IGN), SIG_ERR);
    pair_.a.reset();
    io::options o;
    ssize_t n = 0;
    do { // TCP learns it from the answer to the first bytes
        n = io::sendfile(pair_.b, file_, nullptr, 1, 0, o);
    } while (n == 1);
    EXPECT_TRUE(n == -EPIPE || n == -ECONNRESET) << n;
    ::signal(SIGPIPE, SIG_DFL);
    if (::send(pair_.b, nullptr, 0, MSG_NOSIGNAL) < 0 && errno == ENOTSOCK) {
        return;
    }
    EXPECT_EQ(io::sendfile(pair_.b, file_, nullptr, 1, MSG_NOSIGNAL, o), -EPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0);
}

fd_pair nonblocking_tcp() {
    return nonblocking(tcp_pair());
}

fd_pair nonblocking_unix_stream() {
    return nonblocking(unix_pair());
}

fd_pair nonblocking_pipe() {
    return nonblocking(pipe_pair());
}

INSTANTIATE_TEST_SUITE_P(blocking, sendfile_to, testing::Values(tcp_pair, unix_stream, pipe_pair));
INSTANTIATE_TEST_SUITE_P(nonblocking, sendfile_to,
                         testing::Values(nonblocking_tcp, nonblocking_unix_stream,
                                         nonblocking_pipe));

TEST(sendfile, to_a_file_and_to_nowhere) {
    const owned_fd from = file_of("0123456789");
    const owned_fd to = file_of("");
    io::options o;
    off_t offset = 3;
    EXPECT_EQ(io::sendfile(to, from, &offset, 4, 0, o), 4);
    EXPECT_EQ(offset, 7);
    std::array<char, 8> got{};
    EXPECT_EQ(::pread(to, got.data(), got.size(), 0), 4);
    EXPECT_STREQ(got.data(), "3456");
    const owned_fd null(check(::open("/dev/null", O_WRONLY | O_CLOEXEC), "/dev/null"));
    EXPECT_EQ(io::sendfile(null, from, nullptr, 100, 0, o), 10);
}

/// What libc says to the same arguments.
void expect_as_libc(int out, int in, off_t* offset, std::size_t count) {
    const off_t before = offset != nullptr ? *offset : 0;
    const ssize_t r = ::sendfile(out, in, offset, count);
    const ssize_t expected = r < 0 ? -errno : r;
    if (offset != nullptr) {
        *offset = before;
    }
    io::options o;
    EXPECT_EQ(io::sendfile(out, in, offset, count, 0, o), expected) << out << ' ' << in;
}

TEST(sendfile, refuses_what_the_kernel_refuses) {
    const fd_pair tcp = tcp_pair();
    const fd_pair other = unix_pair();
    const owned_fd file = file_of("text");
    const owned_fd folder(check(::open("/", O_RDONLY | O_CLOEXEC), "/"));
    const owned_fd unreadable(check(::open("/dev/null", O_WRONLY | O_CLOEXEC), "/dev/null"));
    off_t negative = -1;
    ASSERT_NE(::signal(SIGPIPE, SIG_IGN), SIG_ERR);
    expect_as_libc(-1, file, nullptr, 1);
    expect_as_libc(tcp.b, -1, nullptr, 1);
    expect_as_libc(tcp.b, other.a, nullptr, 1);
    expect_as_libc(tcp.b, folder, nullptr, 1);
    expect_as_libc(tcp.b, unreadable, nullptr, 1);
    expect_as_libc(tcp.b, file, &negative, 1);
    expect_as_libc(folder, file, nullptr, 1);
    expect_as_libc(tcp_listener(), file, nullptr, 1);
    ::signal(SIGPIPE, SIG_DFL);
}

TEST(sendfile, ends_when_the_fd_is_closed) {
    fd_pair pair = nonblocking(narrow_tcp());
    const owned_fd file = file_of(pattern(1000));
    fill(pair.b);
    auto sender = tendril::spawn([&] {
        io::options o;
        return io::sendfile(pair.b, file, nullptr, 1000, 0, o);
    });
    settle();
    pair.b.reset();
    EXPECT_EQ(sender.get(), -EBADF);
}

} // namespace
