// SPDX-License-Identifier: BSL-1.0
// What C code below the shim sees of cancellation and of timeouts, and that C++ above it goes on
// throwing. With the shim preloaded.
#include <tendril/tendril.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using tendril::spawn;

class CancelledC : public testing::Test {
protected:
    void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
    void TearDown() override {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

    /// Runs it in a fiber that is cancelled in its first wait; afterwards C++ must throw.
    template <typename CCode>
    static void in_cancelled_fiber(CCode c_code) {
        bool returned = false;
        bool threw = false;
        auto f = spawn([&] {
            c_code();
            returned = true;
            try {
                tendril::this_fiber::sleep_for(1h);
            } catch (const tendril::cancelled&) {
                threw = true;
                throw;
            }
        });
        tendril::this_fiber::yield();
        f.cancel("test");
        f.join();
        EXPECT_TRUE(returned);
        EXPECT_TRUE(threw);
    }

    int silent() const { return ends_[0]; }

private:
    int ends_[2];
};

TEST_F(CancelledC, AReadFailsEachTime) {
    in_cancelled_fiber([this] {
        char byte;
        for (int i = 0; i < 200; ++i) {
            errno = 0;
            EXPECT_EQ(::read(silent(), &byte, 1), -1);
            EXPECT_EQ(errno, ECANCELED);
        }
    });
}

TEST_F(CancelledC, ALoopThatTriesAgainDoesNotKeepOthersFromRunning) {
    bool done = false;
    auto other = spawn([&] {
        for (int i = 0; i < 10; ++i) {
            tendril::this_fiber::yield();
        }
        done = true;
    });
    in_cancelled_fiber([&] {
        char byte;
        while (!done) {
            ::recv(silent(), &byte, 1, 0);
        }
    });
    other.join();
}

TEST_F(CancelledC, PollAndSelectFail) {
    in_cancelled_fiber([this] {
        pollfd one{silent(), POLLIN, 0};
        EXPECT_EQ(::poll(&one, 1, -1), -1);
        EXPECT_EQ(errno, ECANCELED);
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(silent(), &readable);
        EXPECT_EQ(::select(silent() + 1, &readable, nullptr, nullptr, nullptr), -1);
        EXPECT_EQ(errno, ECANCELED);
    });
}

TEST_F(CancelledC, SleepsTellWhatWasLeft) {
    in_cancelled_fiber([] {
        EXPECT_GT(::sleep(3600), 3500u);
        const timespec hour{3600, 0};
        timespec left{};
        EXPECT_EQ(::nanosleep(&hour, &left), -1);
        EXPECT_EQ(errno, ECANCELED);
        EXPECT_GT(left.tv_sec, 3500);
        EXPECT_EQ(::clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, &left), ECANCELED);
    });
}

TEST_F(CancelledC, ATimeoutReachesIntoIt) {
    int error = 0;
    const bool in_time = tendril::move_on_after(1ms, [&] {
        char byte;
        EXPECT_EQ(::read(silent(), &byte, 1), -1);
        error = errno;
    });
    EXPECT_FALSE(in_time);
    EXPECT_EQ(error, ECANCELED);
    EXPECT_THROW(tendril::with_timeout(1ms, [] { ::sleep(3600); }), std::system_error);
}

} // namespace
