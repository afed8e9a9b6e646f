// SPDX-License-Identifier: BSL-1.0
#include "lib/net/net_support.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <sys/resource.h>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::net::direction;
using tendril::net::end_of_stream;
using tendril::net::tcp_listener;
using tendril::net::tcp_stream;

static_assert(!std::is_copy_constructible_v<tcp_stream> &&
              std::is_nothrow_move_constructible_v<tcp_stream>);

/// Closing resets the connection in place of ending it.
void reset(tcp_stream& stream) {
    const linger now{1, 0};
    ASSERT_EQ(0, setsockopt(stream.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now));
    stream.close();
}

TEST(Stream, ReadsWhatIsThere) {
    stream_pair pair;
    pair.client.write_all("hello");
    char buffer[64];
    std::string got;
    while (got.size() < 5) {
        got.append(buffer, pair.server.read_some(buffer, sizeof buffer));
    }
    EXPECT_EQ("hello", got);
}

TEST(Stream, ReadsExactly) {
    stream_pair pair;
    auto writer = tendril::spawn([&] {
        for (const char* piece : {"ab", "cde", "f"}) {
            pair.client.write_all(piece);
            tendril::this_fiber::yield();
        }
    });
    char buffer[6];
    pair.server.read_exactly(buffer, 6);
    EXPECT_EQ("abcdef", std::string(buffer, 6));
    writer.join();
}

TEST(Stream, TellsHowFarItReadBeforeTheEnd) {
    stream_pair pair;
    const std::string peer = pair.client.local().text();
    pair.client.write_all("abc");
    pair.client.close();
    char buffer[10] = {};
    try {
        pair.server.read_exactly(buffer, sizeof buffer);
        FAIL();
    } catch (const end_of_stream& e) {
        EXPECT_EQ(3u, e.transferred());
        EXPECT_EQ("read " + peer + ": the peer ended the stream after 3 of 10 bytes",
                  std::string(e.what()));
    }
    EXPECT_STREQ("abc", buffer);
}

TEST(Stream, ReadsUntilADelimiterAndNoFurther) {
    stream_pair pair;
    pair.client.write_all("one\r\n\r\ntwo");
    EXPECT_EQ("one\r\n\r\n", pair.server.read_until("\r\n\r\n"));
    char rest[3];
    pair.server.read_exactly(rest, 3);
    EXPECT_EQ("two", std::string(rest, 3));
}

TEST(Stream, FindsADelimiterThatComesInPieces) {
    stream_pair pair;
    auto reader = tendril::spawn([&] { return pair.server.read_until("\r\n\r\n"); });
    for (const char* piece : {"x\r", "\n\r", "\nrest"}) {
        pair.client.write_all(piece);
        tendril::this_fiber::sleep_for(1ms);
    }
    EXPECT_EQ("x\r\n\r\n", reader.get());
}

TEST(Stream, LimitsHowMuchItReadsForADelimiter) {
    stream_pair pair;
    pair.client.write_all(std::string(100, 'x') + "\n");
    const auto error = transfer_error_of([&] { pair.server.read_until("\n", 100); });
    EXPECT_EQ(EMSGSIZE, error.code().value());
    EXPECT_EQ(100u, error.transferred());
    EXPECT_EQ("\n", pair.server.read_until("\n", 1));
}

TEST(Stream, WritesMoreThanTheKernelTakesAtOnce) {
    stream_pair pair;
    std::string sent(std::size_t{8} << 20, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) {
        sent[i] = static_cast<char>(i * 7 + i / 251);
    }
    auto writer = tendril::spawn([&] { pair.client.write_all(sent); });
    std::string got(sent.size(), '\0');
    pair.server.read_exactly(got.data(), got.size());
    EXPECT_TRUE(got == sent);
    writer.get();
}

TEST(Stream, AnswersAfterThePeerHasFinishedSending) {
    stream_pair pair;
    pair.client.write_all("question");
    pair.client.shutdown(direction::send);
    char buffer[64];
    std::string question;
    while (const auto n = pair.server.read_some(buffer, sizeof buffer)) {
        question.append(buffer, n);
    }
    EXPECT_EQ("question", question);
    pair.server.write_all("answer");
    pair.server.close();
    char answer[6];
    pair.client.read_exactly(answer, 6);
    EXPECT_EQ("answer", std::string(answer, 6));
    EXPECT_EQ(0u, pair.client.read_some(answer, 6));
}

TEST(Stream, StopsReadersWhenReceivingIsShutDown) {
    stream_pair pair;
    auto reader = tendril::spawn([&] {
        char byte;
        return pair.server.read_some(&byte, 1);
    });
    tendril::this_fiber::yield();
    pair.server.shutdown(direction::receive);
    EXPECT_EQ(0u, reader.get());
}

// ----------------------------------------------------------------------------------------- errors

TEST(StreamErrors, Reset) {
    stream_pair pair;
    const std::string peer = pair.client.local().text();
    reset(pair.client);
    char byte;
    const auto error = transfer_error_of([&] { pair.server.read_some(&byte, 1); });
    EXPECT_EQ(ECONNRESET, error.code().value());
    EXPECT_EQ("read " + peer + ": Connection reset by peer", std::string(error.what()));
    EXPECT_EQ(peer, pair.server.remote().text());
}

TEST(StreamErrors, BrokenPipeIsNoSignal) {
    stream_pair pair;
    const std::string peer = pair.client.local().text();
    reset(pair.client);
    char byte;
    transfer_error_of([&] { pair.server.read_some(&byte, 1); }); // the reset has arrived
    const auto error = transfer_error_of([&] { pair.server.write_all("x"); });
    EXPECT_EQ(EPIPE, error.code().value());
    EXPECT_EQ("write " + peer + ": Broken pipe", std::string(error.what()));
}

TEST(StreamErrors, ReadDeadline) {
    stream_pair pair;
    const std::string peer = pair.client.local().text();
    char buffer[4];
    auto error = transfer_error_of([&] { pair.server.read_some(buffer, 4, 10ms); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
    EXPECT_EQ("read " + peer + ": Connection timed out", std::string(error.what()));

    pair.client.write_all("ab");
    error = transfer_error_of([&] { pair.server.read_exactly(buffer, 4, 10ms); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
    EXPECT_EQ(2u, error.transferred());

    pair.client.write_all("cd");
    pair.server.read_exactly(buffer, 2);
    EXPECT_EQ("cd", std::string(buffer, 2)) << "the stream can be used on";
}

TEST(StreamErrors, WriteDeadlineTellsHowFarItCame) {
    stream_pair pair;
    const std::string much(std::size_t{64} << 20, 'x');
    const auto error = transfer_error_of([&] { pair.client.write_all(much, 20ms); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
    EXPECT_GT(error.transferred(), 0u);
    EXPECT_LT(error.transferred(), much.size());
    std::string got(error.transferred(), '\0');
    pair.server.read_exactly(got.data(), got.size());
    const auto no_more = transfer_error_of([&] { pair.server.read_some(got.data(), 1, 0s); });
    EXPECT_EQ(ETIMEDOUT, no_more.code().value());
}

TEST(StreamErrors, OwnTimeoutCountsWhereNoneIsGiven) {
    stream_pair pair;
    char byte;
    const auto read = [&] { pair.server.read_some(&byte, 1); };
    pair.server.set_timeout(10ms);
    EXPECT_EQ(10ms, pair.server.timeout());
    EXPECT_EQ(ETIMEDOUT, transfer_error_of(read).code().value());
    pair.server.set_timeout(0ns);
    EXPECT_EQ(ETIMEDOUT, transfer_error_of(read).code().value());
    auto writer = tendril::spawn([&] { pair.client.write_all("x"); });
    EXPECT_EQ(1u, pair.server.read_some(&byte, 1, 1h)) << "the call's own limit counts";
    writer.join();
}

TEST(StreamErrors, CloseUnderAReader) {
    stream_pair pair;
    auto reader = tendril::spawn([&] {
        char byte;
        pair.server.read_some(&byte, 1);
    });
    tendril::this_fiber::yield();
    pair.server.close();
    EXPECT_EQ(EBADF, error_of([&] { reader.get(); }).code().value());
}

TEST(StreamErrors, NoConnection) {
    tcp_stream none;
    char byte;
    EXPECT_FALSE(none);
    EXPECT_STREQ("read: Bad file descriptor", error_of([&] { none.read_some(&byte, 1); }).what());
    EXPECT_STREQ("write: Bad file descriptor", error_of([&] { none.write_all("x"); }).what());
    EXPECT_EQ(EBADF, error_of([&] { none.shutdown(direction::both); }).code().value());
    EXPECT_EQ(EBADF, error_of([&] { (void)none.local(); }).code().value());
    EXPECT_EQ("", none.remote().host());
    none.close();
}

// -------------------------------------------------------------------------------------- ownership

TEST(StreamOwnership, MovesAndReleases) {
    stream_pair pair;
    const int fd = pair.client.native_handle();
    tcp_stream moved = std::move(pair.client);
    EXPECT_FALSE(pair.client); // NOLINT(bugprone-use-after-move): what is promised
    EXPECT_EQ(fd, moved.native_handle());

    const int released = moved.release();
    EXPECT_EQ(fd, released);
    EXPECT_FALSE(moved);
    moved.close();
    EXPECT_NE(-1, fcntl(fd, F_GETFD)) << "a released fd stays open";

    tcp_stream adopted = tcp_stream::adopt(released);
    EXPECT_EQ(pair.server.local(), adopted.remote());
    adopted = tcp_stream();
    EXPECT_EQ(-1, fcntl(fd, F_GETFD)) << "an assigned-over one is closed";
}

TEST(StreamOwnership, AdoptsOnlyConnections) {
    const plain_socket unconnected("127.0.0.1");
    EXPECT_EQ(ENOTCONN, error_of([&] { tcp_stream::adopt(unconnected.fd()); }).code().value());
    EXPECT_STREQ("adopt fd -1: Bad file descriptor",
                 error_of([] { tcp_stream::adopt(-1); }).what());
}

TEST(StreamOwnership, AdoptsBlockingSocketsWithoutBlockingTheHub) {
    plain_socket at("127.0.0.1");
    at.listen(1);
    auto client = tcp_stream::connect(at.text());
    tcp_stream server = tcp_stream::adopt(accept4(at.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    auto reader = tendril::spawn([&] {
        char byte = 0;
        server.read_some(&byte, 1);
        return byte;
    });
    tendril::this_fiber::yield();
    client.write_all("!");
    EXPECT_EQ('!', reader.get());
}

TEST(StreamOwnership, NoDelayCanBeTurnedOff) {
    stream_pair pair;
    pair.client.set_no_delay(false);
    EXPECT_FALSE(pair.client.no_delay());
}

// ------------------------------------------------------------------------------------------- many

TEST(Streams, AThousandConnectionsEcho) {
    // ThreadSanitizer allows few contexts.
    const bool few = std::string(TENDRIL_TEST_SANITIZE).find("thread") == 0;
    const std::size_t count = few ? 300 : 1000;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 2 * count + 50) {
        GTEST_SKIP() << "RLIMIT_NOFILE is " << limit.rlim_cur;
    }

    auto listener = tcp_listener::listen("127.0.0.1:0");
    tendril::spawn([&] {
        for (std::size_t i = 0; i < count; ++i) {
            tendril::spawn([stream = listener.accept()]() mutable {
                char buffer[512];
                while (const auto n = stream.read_some(buffer, sizeof buffer)) {
                    stream.write_all({buffer, n});
                }
            });
        }
    });
    std::size_t correct = 0;
    for (std::size_t i = 0; i < count; ++i) {
        tendril::spawn([&, i] {
            auto stream = tcp_stream::connect(listener.local());
            for (int round = 0; round < 3; ++round) {
                const std::string sent = std::to_string(i) + '/' + std::to_string(round);
                stream.write_all(sent);
                std::string got(sent.size(), '\0');
                stream.read_exactly(got.data(), got.size());
                correct += got == sent ? 1 : 0;
                tendril::this_fiber::yield();
            }
        });
    }
    tendril::hub::current().drain();
    EXPECT_EQ(3 * count, correct);
}

} // namespace
