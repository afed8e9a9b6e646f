// SPDX-License-Identifier: BSL-1.0
//
// Streams of either kind: several buffers in one call, and files.
#include "lib/net/net_support.hpp"
#include "support/pattern.hpp"
#include "support/scratch_folder.hpp"

#include <tendril/fiber.hpp>
#include <tendril/net.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::net::stream;
using tendril::net::tcp_stream;
using tendril::net::unix_stream;
using tendril::test::pattern;

struct tcp_ends : stream_pair {
    stream& a = client;
    stream& b = server;
};

struct unix_ends {
    std::pair<unix_stream, unix_stream> both = unix_stream::pair();
    stream& a = both.first;
    stream& b = both.second;
};

template <typename Ends>
struct streams : testing::Test {
    Ends ends;
    scratch_folder folder;

    std::string received(std::size_t size) {
        std::string text(size, '\0');
        ends.b.read_exactly(text.data(), size);
        return text;
    }
};
using kinds = testing::Types<tcp_ends, unix_ends>;
TYPED_TEST_SUITE(streams, kinds);

TYPED_TEST(streams, gather_what_they_write) {
    this->ends.a.write_all({"header\n", "", "body"});
    EXPECT_EQ("header\nbody", this->received(11));
    this->ends.a.write_all({"one"});
    EXPECT_EQ("one", this->received(3));
}

TYPED_TEST(streams, gather_more_than_the_kernel_takes_at_once) {
    const std::string part = pattern(700'000);
    auto writer = tendril::spawn([&] {
        this->ends.a.write_all({part, part, part, part, part, part});
    });
    const std::string all = this->received(6 * part.size());
    writer.get();
    EXPECT_TRUE(all == part + part + part + part + part + part);
}

TYPED_TEST(streams, scatter_what_they_read) {
    std::array<char, 3> first{};
    std::array<char, 10> second{};
    const std::array<iovec, 2> buffers{iovec{first.data(), first.size()},
                                       iovec{second.data(), second.size()}};
    auto reader =
        tendril::spawn([&] { return this->ends.b.read_some(buffers.data(), buffers.size()); });
    tendril::this_fiber::yield();
    this->ends.a.write_all("abcdef");
    EXPECT_EQ(6u, reader.get());
    EXPECT_EQ("abc", std::string(first.data(), 3));
    EXPECT_EQ("def", std::string(second.data(), 3));
    EXPECT_EQ(ETIMEDOUT, transfer_error_of(
                             [&] { this->ends.b.read_some(buffers.data(), buffers.size(), 1ms); })
                             .code()
                             .value());
}

TYPED_TEST(streams, say_how_much_of_the_buffers_was_written) {
    const std::string part = pattern(std::size_t{16} << 20);
    const auto error = transfer_error_of([&] { this->ends.a.write_all({part, part}, 10ms); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
    EXPECT_GT(error.transferred(), 0u);
    EXPECT_LT(error.transferred(), 2 * part.size());
    EXPECT_TRUE((part + part).substr(0, error.transferred()) ==
                this->received(error.transferred()));
}

TYPED_TEST(streams, refuse_too_many_buffers) {
    const std::vector<iovec> many(2000, iovec{nullptr, 0});
    EXPECT_EQ(EMSGSIZE, transfer_error_of([&] { this->ends.a.write_all(many.data(), many.size()); })
                            .code()
                            .value());
    EXPECT_EQ(EMSGSIZE, transfer_error_of([&] { this->ends.b.read_some(many.data(), many.size()); })
                            .code()
                            .value());
}

// ------------------------------------------------------------------------------------------ files

template <typename Ends>
struct sending_files : streams<Ends> {
    sending_files() { std::ofstream(path) << text; }
    ~sending_files() override { close(file); }

    const std::string path = this->folder.path() + "/file";
    const std::string text = pattern(9'000'000);
    const int file = open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
};
TYPED_TEST_SUITE(sending_files, kinds);

TYPED_TEST(sending_files, sends_a_part_or_up_to_the_end) {
    auto sender = tendril::spawn([&] {
        EXPECT_EQ(5u, this->ends.a.send_file(this->file, 3, 5));
        return this->ends.a.send_file(this->file, 100, SIZE_MAX);
    });
    EXPECT_TRUE(this->text.substr(3, 5) + this->text.substr(100) ==
                this->received(this->text.size() - 95));
    EXPECT_EQ(this->text.size() - 100, sender.get());
    EXPECT_EQ(0u, this->ends.a.send_file(this->file, static_cast<off_t>(this->text.size()), 1));
    EXPECT_EQ(0, lseek(this->file, 0, SEEK_CUR));
}

TYPED_TEST(sending_files, says_how_far_it_came) {
    const auto error =
        transfer_error_of([&] { this->ends.a.send_file(this->file, 0, this->text.size(), 10ms); });
    EXPECT_EQ(ETIMEDOUT, error.code().value());
    EXPECT_GT(error.transferred(), 0u);
    EXPECT_LT(error.transferred(), this->text.size());
    EXPECT_TRUE(this->text.substr(0, error.transferred()) == this->received(error.transferred()));
}

TYPED_TEST(sending_files, meets_errors_without_a_signal) {
    const auto not_open = transfer_error_of([&] { this->ends.a.send_file(-1, 0, 1); });
    EXPECT_EQ(EBADF, not_open.code().value());
    EXPECT_NE(std::string::npos, std::string(not_open.what()).find("send file -1 to "));
    this->ends.b.close();
    const auto send = [&] {
        for (;;) { // TCP learns it from the answer to the first bytes
            this->ends.a.send_file(this->file, 0, 1000);
        }
    };
    const int error = transfer_error_of(send).code().value();
    EXPECT_TRUE(error == EPIPE || error == ECONNRESET) << error;
    EXPECT_EQ(EPIPE, transfer_error_of(send).code().value());
}

} // namespace
