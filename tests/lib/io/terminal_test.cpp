// SPDX-License-Identifier: BSL-1.0
// Terminals that take no more. What a program sees of terminals is compared with libc in
// tests/shims/programs/terminals.c.
#include "io/operations.hpp"
#include "support/sockets.hpp"

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <pty.h>
#include <string>
#include <sys/wait.h>
#include <tendril/fiber.hpp>
#include <termios.h>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

/// Lines, of which the terminal makes longer ones: "\n" becomes "\r\n".
std::string lines(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i) {
        text += std::to_string(i) + '\n';
    }
    return text;
}

std::string as_shown(const std::string& text) {
    std::string shown;
    for (const char c : text) {
        shown += c == '\n' ? "\r\n" : std::string(1, c);
    }
    return shown;
}

class full_terminal : public testing::Test {
protected:
    void SetUp() override {
        int master = -1;
        int slave = -1;
        ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
        master_.reset(master);
        slave_.reset(slave);
    }

    tendril::fiber<ssize_t> writing(const std::string& text, std::chrono::milliseconds limit = 1h) {
        return tendril::spawn([this, &text, limit] {
            io::options o;
            o.deadline = std::chrono::steady_clock::now() + limit;
            return io::write(slave_, text.data(), text.size(), o);
        });
    }

    /// Until there is no room left: whoever writes is waiting, in the hub or in a worker.
    void fill() {
        const std::string more(100, '.');
        set_nonblocking(slave_);
        while (::write(slave_, more.data(), more.size()) > 0) {
            filled_ += more.size();
        }
        ASSERT_EQ(::fcntl(slave_, F_SETFL, O_RDWR), 0);
    }

    std::string shown(std::size_t size) {
        std::string got;
        std::array<char, 1000> part{};
        while (got.size() < size) {
            io::options o;
            const ssize_t n = io::read(master_, part.data(), part.size(), o);
            if (n <= 0) {
                ADD_FAILURE() << n;
                break;
            }
            got.append(part.data(), static_cast<std::size_t>(n));
        }
        return got;
    }

    owned_fd master_;
    owned_fd slave_;
    std::size_t filled_ = 0;
};

TEST_F(full_terminal, does_not_stop_the_hub) {
    const std::string text = lines(100'000);
    auto writer = writing(text);
    // Only the hub's turns make it wait; it has them although nobody reads.
    for (int i = 0; i < 100; ++i) {
        settle();
    }
    EXPECT_FALSE(writer.ready());
    const std::string expected = as_shown(text);
    EXPECT_TRUE(shown(expected.size()) == expected);
    EXPECT_EQ(writer.get(), static_cast<ssize_t>(text.size()));
    EXPECT_FALSE(is_nonblocking(slave_));
}

TEST_F(full_terminal, takes_small_writes_of_many_fibers_in_turn) {
    std::vector<std::string> words;
    std::vector<tendril::fiber<ssize_t>> writers;
    std::size_t size = 0;
    for (int i = 0; i < 2000; ++i) {
        words.push_back("word " + std::to_string(i) + "\n");
        size += words.back().size() + 1;
    }
    for (const std::string& word : words) {
        writers.push_back(writing(word));
    }
    settle();
    const std::string got = shown(size);
    for (std::size_t i = 0; i < words.size(); ++i) {
        EXPECT_EQ(writers[i].get(), static_cast<ssize_t>(words[i].size()));
        EXPECT_NE(got.find(as_shown(words[i])), std::string::npos) << i;
    }
}

TEST_F(full_terminal, that_is_stopped_goes_on_when_told) {
    ASSERT_EQ(::tcflow(slave_, TCOOFF), 0);
    const std::string text = "late\n";
    auto writer = writing(text);
    settle();
    EXPECT_FALSE(writer.ready());
    ASSERT_EQ(::tcflow(slave_, TCOON), 0);
    EXPECT_EQ(shown(6), "late\r\n");
    EXPECT_EQ(writer.get(), 5);
}

TEST_F(full_terminal, says_how_much_was_written_by_the_deadline) {
    const std::string text = lines(100'000);
    const ssize_t n = writing(text, 30ms).get();
    EXPECT_GT(n, 0);
    EXPECT_LT(n, static_cast<ssize_t>(text.size()));
}

// No byte goes to what has the number next.
TEST_F(full_terminal, closed_under_a_writer) {
    const std::string text = lines(100'000);
    auto writer = writing(text);
    settle();
    fill();
    const int number = slave_;
    slave_.reset();
    const ssize_t written = writer.get();
    EXPECT_TRUE(written > 0 || written == -EBADF) << written; // whether or not a part was done
    fd_pair pipe = pipe_pair();
    const owned_fd read_end(::fcntl(pipe.a, F_DUPFD_CLOEXEC, 0));
    ASSERT_EQ(io::dup2(pipe.b, number), number);
    pipe.b.reset();
    const std::string got = shown(filled_);
    io::close(number);
    char c = 0;
    io::options o;
    EXPECT_EQ(io::read(read_end, &c, 1, o), 0);
}

TEST_F(full_terminal, a_child_writes_on_its_own) {
    if (!can_fork_beside_threads()) {
        GTEST_SKIP();
    }
    const std::string text = lines(100'000);
    auto writer = writing(text);
    settle();
    fill();
    const pid_t child = ::fork();
    if (child == 0) {
        // The worker is the parent's. There may be room again: the kernel moves things on.
        io::options o;
        o.deadline = std::chrono::steady_clock::now() + 5ms;
        const ssize_t n = io::write(slave_, "x", 1, o);
        ::_exit(n == -ETIMEDOUT ? 0 : n == 1 ? 1 : 2);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) <= 1) << status;
    const std::size_t all =
        as_shown(text).size() + filled_ + static_cast<std::size_t>(WEXITSTATUS(status));
    EXPECT_EQ(shown(all).size(), all);
    EXPECT_EQ(writer.get(), static_cast<ssize_t>(text.size()));
}

TEST(terminal_in_raw_mode, ends_its_wait_when_it_is_closed) {
    int master = -1;
    int slave = -1;
    ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    const owned_fd a(master);
    owned_fd b(slave);
    termios raw{};
    ::tcgetattr(b, &raw);
    ::cfmakeraw(&raw);
    raw.c_cc[VMIN] = 5;
    raw.c_cc[VTIME] = 200;
    ::tcsetattr(b, TCSANOW, &raw);
    auto reader = tendril::spawn([&] {
        std::array<char, 10> part{};
        io::options o;
        return io::read(b, part.data(), part.size(), o);
    });
    ASSERT_EQ(::write(a, "abc", 3), 3);
    settle();
    EXPECT_FALSE(reader.ready());
    b.reset();
    EXPECT_EQ(reader.get(), -EBADF);
}

} // namespace
