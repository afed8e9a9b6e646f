// SPDX-License-Identifier: BSL-1.0
// recv and its kin: flags, messages, and the timeout of a program.
#include "io/operations.hpp"
#include "support/sockets.hpp"
#include "support/transfers.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <tendril/fiber.hpp>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

fd_pair unix_stream() {
    return unix_pair();
}

TEST(recv, waitall_collects) {
    for (fd_pair (*make)() : {&tcp_pair, &unix_stream}) {
        fd_pair pair = make();
        auto reader = tendril::spawn([&] {
            std::string text(6, '-');
            io::options o;
            const ssize_t n = io::recv(pair.a, text.data(), 6, MSG_WAITALL, o);
            return std::to_string(n) + text;
        });
        settle();
        put(pair.b, "ab");
        settle();
        EXPECT_FALSE(reader.ready());
        put(pair.b, "cdefgh");
        EXPECT_EQ(reader.get(), "6abcdef");
        EXPECT_EQ(read_some(pair.a), "gh");
    }
}

TEST(recv, waitall_ends_short_with_the_stream_or_the_deadline) {
    fd_pair pair = tcp_pair();
    std::string text(6, '-');
    put(pair.b, "ab");
    io::options o = in(5ms);
    EXPECT_EQ(io::recv(pair.a, text.data(), 6, MSG_WAITALL, o), 2);
    put(pair.b, "cd");
    pair.b.reset();
    io::options whole;
    EXPECT_EQ(io::recv(pair.a, text.data(), 6, MSG_WAITALL, whole), 2);
    EXPECT_EQ(text.substr(0, 2), "cd");
}

TEST(recv, peek_leaves_the_data_and_the_readiness) {
    fd_pair pair = tcp_pair();
    auto peeker = tendril::spawn([&] {
        char c = 0;
        io::options o;
        EXPECT_EQ(io::recv(pair.a, &c, 1, MSG_PEEK, o), 1);
        return c;
    });
    auto reader = tendril::spawn([&] { return read_some(pair.a); });
    settle();
    put(pair.b, "x");
    EXPECT_EQ(peeker.get(), 'x');
    EXPECT_EQ(reader.get(), "x");
}

TEST(recv, peek_with_waitall_waits_for_all) {
    fd_pair pair = tcp_pair();
    auto peeker = tendril::spawn([&] {
        std::string text(4, '-');
        io::options o;
        EXPECT_EQ(io::recv(pair.a, text.data(), 4, MSG_PEEK | MSG_WAITALL, o), 4);
        return text;
    });
    settle();
    put(pair.b, "ab");
    settle();
    EXPECT_FALSE(peeker.ready());
    put(pair.b, "cd");
    EXPECT_EQ(peeker.get(), "abcd");
    put(pair.b, "e");
    pair.b.reset();
    std::string text(9, '-');
    io::options o;
    EXPECT_EQ(io::recv(pair.a, text.data(), 9, MSG_PEEK | MSG_WAITALL, o), 5);
}

TEST(recv, dontwait_does_not) {
    const fd_pair pair = unix_pair();
    char c = 0;
    io::options o;
    EXPECT_EQ(io::recv(pair.a, &c, 1, MSG_DONTWAIT, o), -EAGAIN);
    EXPECT_FALSE(o.waited);
}

TEST(recv, of_nothing_takes_a_datagram_and_read_of_nothing_leaves_it) {
    const fd_pair pair = unix_pair(SOCK_DGRAM);
    put(pair.b, "one");
    put(pair.b, "two");
    io::options o;
    EXPECT_EQ(io::read(pair.a, nullptr, 0, o), 0);
    char c = 0;
    EXPECT_EQ(io::recv(pair.a, &c, 0, 0, o), 0);
    EXPECT_EQ(read_some(pair.a), "two");
}

TEST(recv, honours_the_receive_timeout_of_a_program_only) {
    fd_pair pair = tcp_pair();
    const timeval timeout{0, 5'000};
    ASSERT_EQ(::setsockopt(pair.a, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    char c = 0;
    io::options program;
    program.as_program = true;
    EXPECT_EQ(io::recv(pair.a, &c, 1, 0, program), -EAGAIN);
    EXPECT_TRUE(program.waited);
    io::options own = in(20ms);
    EXPECT_EQ(io::recv(pair.a, &c, 1, 0, own), -ETIMEDOUT);
}

TEST(recvmsg, carries_file_descriptors_one_message_after_the_other) {
    const fd_pair pair = unix_pair();
    const fd_pair carried = pipe_pair();
    auto receive = [&]() -> int {
        char byte = 0;
        iovec iov{&byte, 1};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        io::options o;
        EXPECT_EQ(io::recvmsg(pair.a, &message, MSG_CMSG_CLOEXEC, o), 1);
        const cmsghdr* c = CMSG_FIRSTHDR(&message);
        int fd = -1;
        if (c != nullptr) {
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
        }
        return fd;
    };
    auto receiver = tendril::spawn([&] {
        const owned_fd first(receive());
        const owned_fd second(receive());
        return first >= 0 && second >= 0;
    });
    settle();
    for (int i = 0; i < 2; ++i) {
        char byte = 'x';
        iovec iov{&byte, 1};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = carried.a;
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
        io::options o;
        EXPECT_EQ(io::sendmsg(pair.b, &message, 0, o), 1);
    }
    EXPECT_TRUE(receiver.get());
}

TEST(recvmmsg, waits_for_all_or_for_one) {
    const fd_pair pair = unix_pair(SOCK_DGRAM);
    std::array<char, 3> bytes{};
    std::array<iovec, 3> iov{};
    std::array<mmsghdr, 3> messages{};
    for (std::size_t i = 0; i < 3; ++i) {
        iov[i] = {&bytes[i], 1};
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    auto one = tendril::spawn([&] {
        io::options o;
        return io::recvmmsg(pair.a, messages.data(), 3, MSG_WAITFORONE, o);
    });
    settle();
    put(pair.b, "a");
    EXPECT_EQ(one.get(), 1);
    auto all = tendril::spawn([&] {
        io::options o;
        return io::recvmmsg(pair.a, messages.data(), 3, 0, o);
    });
    for (const char* text : {"b", "c", "d"}) {
        settle();
        EXPECT_FALSE(all.ready());
        put(pair.b, text);
    }
    EXPECT_EQ(all.get(), 3);
    EXPECT_EQ(std::string(bytes.data(), 3), "bcd");
}

} // namespace
