// SPDX-License-Identifier: BSL-1.0
// Thread pools where threads cannot be had, and over forks. Each case is a process of its own.
#include <tendril/fiber.hpp>
#include <tendril/thread_pool.hpp>

#include "support/leaks.hpp"
#include "support/require.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using tendril::thread_pool;
using testing::ExitedWithCode;

class ThreadPoolLimits : public testing::Test {
protected:
    ThreadPoolLimits() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

/// While it lives there is no address space for another thread's stack.
class no_more_threads {
public:
    no_more_threads() {
        ::getrlimit(RLIMIT_AS, &before_);
        rlimit tight = before_;
        tight.rlim_cur = 1 << 20;
        ::setrlimit(RLIMIT_AS, &tight);
    }
    ~no_more_threads() { ::setrlimit(RLIMIT_AS, &before_); }

private:
    rlimit before_{};
};

TEST_F(ThreadPoolLimits, WithoutAnyThreadACallIsRefusedAndNothingIsLost) {
    const auto body = [] {
        tendril::detail::leave_leaks_unchecked();
        thread_pool pool(2);
        const tendril::limiter one(1);
        tendril::this_fiber::yield(); // the hub is there
        bool ran = false;
        int error = 0;
        try {
            const no_more_threads now;
            pool.run(one, [&ran] { ran = true; });
        } catch (const std::system_error& e) {
            error = e.code().value();
        }
        REQUIRE(error == EAGAIN && !ran);
        REQUIRE(one.in_use() == 0);
        pool.run(one, [&ran] { ran = true; });
        REQUIRE(ran);
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "");
}

TEST_F(ThreadPoolLimits, WithOneThreadTheRestIsDoneByIt) {
    const auto body = [] {
        tendril::detail::leave_leaks_unchecked();
        thread_pool pool(4);
        std::atomic<bool> open{false};
        auto first = pool.submit([&open] { open.wait(false); });
        std::vector<tendril::future<int>> more;
        more.reserve(10);
        {
            const no_more_threads now;
            for (int i = 0; i < 10; ++i) {
                more.push_back(pool.submit([i] { return i; }));
            }
        }
        open = true;
        open.notify_all();
        for (int i = 0; i < 10; ++i) {
            REQUIRE(more[static_cast<std::size_t>(i)].get() == i);
        }
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "");
}

TEST_F(ThreadPoolLimits, AChildHasAnEmptyPoolThatWorks) {
    const auto body = [] {
        tendril::detail::leave_leaks_unchecked();
        thread_pool pool(1);
        std::atomic<bool> open{false};
        auto running = pool.submit([&open] { open.wait(false); });
        auto queued = pool.submit([] { return 1; });
        const pid_t child = ::fork();
        if (child == 0) {
            REQUIRE(!running.ready() && !queued.ready());
            pool.drain(); // there is nothing
            REQUIRE(pool.run([] { return 7; }) == 7);
            REQUIRE(tendril::offload([] { return 8; }) == 8);
            pool.shutdown();
            REQUIRE(!queued.ready());
            std::_Exit(0);
        }
        open = true;
        open.notify_all();
        REQUIRE(queued.get() == 1);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child && status == 0);
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "");
}

TEST_F(ThreadPoolLimits, ACallMayFork) {
    const auto body = [] {
        tendril::detail::leave_leaks_unchecked();
        thread_pool pool(1);
        const pid_t child = pool.run([&pool] {
            const pid_t pid = ::fork();
            if (pid == 0) {
                REQUIRE(pool.run([] { return 7; }) == 7);
                pool.shutdown(); // this thread is no worker here
            }
            return pid;
        }); // in the child the last thread ends with the call, and so does the process
        REQUIRE(child > 0);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child && status == 0);
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "");
}

} // namespace
