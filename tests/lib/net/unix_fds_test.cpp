// SPDX-License-Identifier: BSL-1.0
//
// File descriptors passed over Unix sockets: who owns them, and that none is lost when they do not
// fit.
#include "lib/net/net_support.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>
#include <tendril/unix_socket.hpp>

#include "support/open_fds.hpp"

#include <chrono>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::io::unique_fd;
using tendril::net::unix_datagram;
using tendril::net::unix_stream;

/// The hub is made by the first wait, if it is not there yet.
int open_fds_beside_the_hub() {
    tendril::hub::current();
    return open_fds();
}

/// A pipe whose ends can be told apart by what goes through.
struct pipe_ends {
    pipe_ends() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) == 0) {
            out.reset(ends[0]);
            in.reset(ends[1]);
        }
    }
    unique_fd out, in;
};

template <typename Socket>
struct passing_fds : testing::Test {
    passing_fds() { std::tie(a, b) = Socket::pair(); }

    Socket a, b;
    char buffer[64];
};
using kinds = testing::Types<unix_stream, unix_datagram>;
TYPED_TEST_SUITE(passing_fds, kinds);

TYPED_TEST(passing_fds, hands_over_copies) {
    pipe_ends pipe;
    auto receiver = tendril::spawn([&] { return this->b.receive_fds(this->buffer, 64, 4); });
    tendril::this_fiber::yield();
    this->a.send_fds("two ends", {pipe.out.get(), pipe.in.get()});
    auto got = receiver.get();
    EXPECT_EQ("two ends", std::string(this->buffer, got.size));
    ASSERT_EQ(2u, got.fds.size());
    for (const unique_fd& fd : got.fds) {
        EXPECT_EQ(FD_CLOEXEC, fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
    }
    pipe.in.reset(); // the copy keeps the pipe open
    ASSERT_EQ(1, write(got.fds[1].get(), "!", 1));
    char byte = 0;
    EXPECT_EQ(1, read(pipe.out.get(), &byte, 1));
}

TYPED_TEST(passing_fds, takes_messages_without_fds_too) {
    this->a.send_fds("plain", {});
    const auto got = this->b.receive_fds(this->buffer, 64, 4);
    EXPECT_EQ("plain", std::string(this->buffer, got.size));
    EXPECT_TRUE(got.fds.empty());
    EXPECT_EQ(
        ETIMEDOUT,
        transfer_error_of([&] { this->b.receive_fds(this->buffer, 64, 4, 1ms); }).code().value());
}

TYPED_TEST(passing_fds, closes_all_if_more_came_than_were_wanted) {
    pipe_ends pipe;
    const std::vector<int> three(3, pipe.out.get());
    const int before = open_fds_beside_the_hub();
    for (const std::size_t most : {0u, 1u, 2u}) {
        this->a.send_fds("three", three);
        const auto error = transfer_error_of([&] { this->b.receive_fds(this->buffer, 64, most); });
        EXPECT_EQ(EMSGSIZE, error.code().value()) << most;
        EXPECT_EQ(5u, error.transferred());
        EXPECT_EQ("three", std::string(this->buffer, 5));
        EXPECT_EQ(before, open_fds()) << most;
    }
    this->a.send_fds("three", three);
    EXPECT_EQ(3u, this->b.receive_fds(this->buffer, 64, 3).fds.size());
}

TYPED_TEST(passing_fds, closes_all_if_no_fd_is_left) {
    pipe_ends pipe;
    const std::vector<int> three(3, pipe.out.get());
    this->a.send_fds("three", three);
    const int before = open_fds_beside_the_hub();

    // Room for one more: the lowest free number and no higher.
    const int lowest = dup(pipe.out.get());
    close(lowest);
    rlimit old{};
    getrlimit(RLIMIT_NOFILE, &old);
    rlimit tight = old;
    tight.rlim_cur = static_cast<rlim_t>(lowest) + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    const auto error = transfer_error_of([&] { this->b.receive_fds(this->buffer, 64, 3); });
    setrlimit(RLIMIT_NOFILE, &old);

    EXPECT_EQ(EMFILE, error.code().value());
    EXPECT_EQ(5u, error.transferred());
    EXPECT_EQ(before, open_fds());
    this->a.send_fds("again", three);
    EXPECT_EQ(3u, this->b.receive_fds(this->buffer, 64, 3).fds.size());
}

TYPED_TEST(passing_fds, is_not_confused_by_credentials) {
    const int on = 1;
    ASSERT_EQ(0, setsockopt(this->b.native_handle(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    pipe_ends pipe;
    this->a.send_fds("one", {pipe.out.get()});
    EXPECT_EQ(1u, this->b.receive_fds(this->buffer, 64, 1).fds.size());
}

TYPED_TEST(passing_fds, carries_as_many_as_the_kernel_allows) {
    pipe_ends pipe;
    this->a.send_fds("x", std::vector<int>(253, pipe.out.get()));
    EXPECT_EQ(253u, this->b.receive_fds(this->buffer, 64, 1000).fds.size());
    EXPECT_EQ(EINVAL, transfer_error_of(
                          [&] { this->a.send_fds("x", std::vector<int>(254, pipe.out.get())); })
                          .code()
                          .value());
}

TYPED_TEST(passing_fds, refuses_what_is_not_open) {
    EXPECT_EQ(EBADF, transfer_error_of([&] { this->a.send_fds("x", {-1}); }).code().value());
    TypeParam none;
    EXPECT_EQ(EBADF, transfer_error_of([&] { none.send_fds("x", {0}); }).code().value());
    EXPECT_EQ(EBADF, transfer_error_of([&] { none.receive_fds(nullptr, 0, 1); }).code().value());
}

TEST(passing_fds_by_stream, needs_a_byte) {
    auto [a, b] = unix_stream::pair();
    EXPECT_EQ(EINVAL, transfer_error_of([&a = a] { a.send_fds("", {0}); }).code().value());
}

TEST(passing_fds_by_stream, goes_with_the_first_byte_of_many) {
    auto [a, b] = unix_stream::pair();
    pipe_ends pipe;
    const std::string much(std::size_t{1} << 20, 'x');
    auto sender = tendril::spawn([&, &a = a] { a.send_fds(much, {pipe.out.get()}); });
    char buffer[1];
    EXPECT_EQ(1u, b.receive_fds(buffer, 1, 1).fds.size());
    std::string rest(much.size() - 1, '\0');
    b.read_exactly(rest.data(), rest.size());
    sender.get();
}

TEST(passing_fds_by_stream, says_how_far_it_came) {
    auto [a, b] = unix_stream::pair();
    pipe_ends pipe;
    const std::string much(std::size_t{8} << 20, 'x');
    const auto error = transfer_error_of([&, &a = a] { a.send_fds(much, {pipe.out.get()}, 5ms); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
    EXPECT_GT(error.transferred(), 0u);
}

TEST(passing_fds_by_stream, drops_what_a_plain_read_meets) {
    auto [a, b] = unix_stream::pair();
    pipe_ends pipe;
    const int before = open_fds_beside_the_hub();
    a.send_fds("x", {pipe.out.get()});
    char byte;
    EXPECT_EQ(1u, b.read_some(&byte, 1));
    EXPECT_EQ(before, open_fds());
}

TEST(passing_fds_by_stream, never_wakes_who_waited_for_an_older_fd_of_the_number) {
    auto [a, b] = unix_stream::pair();
    pipe_ends passed;
    pipe_ends old;
    const int number = old.out.get();
    auto stale = tendril::spawn([number] {
        char byte;
        return tendril::io::read(number, &byte, 1);
    });
    tendril::this_fiber::yield();
    a.send_fds("x", {passed.out.get()});
    syscall(SYS_close, old.out.release()); // behind our back
    char byte;
    const auto got = b.receive_fds(&byte, 1, 1);
    ASSERT_EQ(number, got.fds.at(0).get());
    ASSERT_EQ(1, write(passed.in.get(), "!", 1));
    EXPECT_EQ(EBADF, error_of([&] { stale.get(); }).code().value());
    EXPECT_EQ(1u, tendril::io::read(number, &byte, 1));
}

TEST(passing_fds_by_datagram, closes_all_if_the_bytes_do_not_fit) {
    auto [a, b] = unix_datagram::pair();
    pipe_ends pipe;
    const int before = open_fds_beside_the_hub();
    a.send_fds("too long", {pipe.out.get()});
    char buffer[3];
    const auto error = transfer_error_of([&, &b = b] { b.receive_fds(buffer, 3, 1); });
    EXPECT_EQ(EMSGSIZE, error.code().value());
    EXPECT_EQ(3u, error.transferred());
    EXPECT_EQ(before, open_fds());
}

} // namespace
