// SPDX-License-Identifier: BSL-1.0
// No stack to be had, and stacks that overflow.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "fiber/stack_memory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::fiber;
using tendril::spawn;
using tendril::detail::stack_memory;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::KilledBySignal;

/// While this lives, the kernel has no address space for stacks.
class no_memory {
public:
    no_memory()
        : saved_(stack_memory) {
        stack_memory.map = [](void*, std::size_t, int, int, int, off_t) {
            errno = ENOMEM;
            return MAP_FAILED;
        };
    }
    ~no_memory() { stack_memory = saved_; }
    no_memory(const no_memory&) = delete;
    no_memory& operator=(const no_memory&) = delete;

private:
    tendril::detail::stack_memory_calls saved_;
};

// A size that no other test uses, so that none is pooled.
std::size_t fresh_size() {
    static std::size_t size = 80 << 20;
    return size += 1 << 20;
}

TEST(StackExhaustion, GetThrowsBadAllocAndTheFunctionNeverRan) {
    bool ran = false;
    auto f = spawn({"", fresh_size()}, [&] { ran = true; });
    const auto guard = std::make_shared<int>();
    auto g = spawn({"", fresh_size()}, [guard] { return 1; });
    {
        const no_memory now;
        f.join();
        g.join();
    }
    EXPECT_THROW(f.get(), std::bad_alloc);
    EXPECT_THROW(g.get(), std::bad_alloc);
    EXPECT_FALSE(ran);
    g = {};
    EXPECT_EQ(guard.use_count(), 1) << "nor is it lost";
}

TEST(StackExhaustion, ADetachedFiberSaysSo) {
    testing::internal::CaptureStderr();
    {
        const no_memory now;
        spawn({"unlucky", fresh_size()}, [] {}).detach();
        tendril::hub::current().drain();
    }
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                AllOf(HasSubstr("\"unlucky\""), HasSubstr("std::bad_alloc")));
}

TEST(StackExhaustion, TheHubGoesOnWithTheStacksItHas) {
    spawn([] {}).join(); // one is pooled
    const no_memory now;
    int ran = 0;
    int failed = 0;
    for (int i = 0; i < 200; ++i) {
        auto big = spawn({"", fresh_size()}, [&] { ++ran; });
        auto small = spawn([&] { ++ran; });
        small.join();
        try {
            big.get();
        } catch (const std::bad_alloc&) {
            ++failed;
        }
    }
    EXPECT_EQ(ran, 200);
    EXPECT_EQ(failed, 200);
}

TEST(StackExhaustion, ItLeavesErrnoAlone) {
    const no_memory now;
    auto f = spawn({"", fresh_size()}, [] {});
    errno = EXDEV;
    tendril::this_fiber::yield();
    EXPECT_EQ(errno, EXDEV);
    EXPECT_THROW(f.get(), std::bad_alloc);
}

TEST(StackExhaustion, JoinersAndDrainersOfAFailedFiberGoOn) {
    spawn([] {}).join(); // leaves a stack for the joiner
    const no_memory now;
    auto failing = spawn({"", fresh_size()}, [] {});
    int joined = 0;
    auto joiner = spawn([&] {
        failing.join();
        ++joined;
    });
    tendril::hub::current().drain();
    joiner.join();
    EXPECT_EQ(joined, 1);
    EXPECT_THROW(failing.get(), std::bad_alloc);
    EXPECT_EQ(tendril::hub::current().statistics().live, 0u);
}

/// The kernel itself refuses. Not with sanitizers: they need much address space.
TEST(StackExhaustion, UnderALimitOfAddressSpace) {
    if (sizeof TENDRIL_TEST_SANITIZE > 1) {
        GTEST_SKIP() << "sanitizers need the address space themselves";
    }
    const auto body = [] {
        const rlimit limit{std::size_t{2} << 30, std::size_t{2} << 30};
        ::setrlimit(RLIMIT_AS, &limit);
        std::vector<fiber<int>> all;
        for (int i = 0; i < 40; ++i) {
            all.push_back(spawn({"", std::size_t{200} << 20}, [] {
                tendril::this_fiber::sleep_for(1ms); // so that many stacks live at once
                return 1;
            }));
        }
        int ran = 0;
        int failed = 0;
        for (auto& f : all) {
            try {
                ran += f.get();
            } catch (const std::bad_alloc&) {
                ++failed;
            }
        }
        std::_Exit(ran > 2 && failed > 10 && ran + failed == 40 ? 0 : 1);
    };
    EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

volatile int sink = 0;

[[gnu::noinline]] int recurse(int depth) {
    volatile char frame[2'000];
    frame[0] = static_cast<char>(depth);
    const int below = depth == 0 ? 0 : recurse(depth - 1);
    sink = frame[0];
    return below + 1;
}

/// Of a real fiber, on the main thread and on another, at several sizes.
TEST(StackOverflow, NamesTheFiberAndItsSize) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const std::size_t least = (tendril::minimum_stack_size() + 1023) >> 10 << 10;
    for (const std::size_t size :
         {least, std::size_t{256} << 10, std::size_t{1} << 20, std::size_t{8} << 20}) {
        const auto body = [size] {
            ::signal(SIGSEGV, SIG_DFL); // not a sanitizer's
            fiber<int> other = spawn({"innocent"}, [] {
                tendril::this_fiber::sleep_for(1h);
                return 0;
            });
            tendril::this_fiber::yield();
            spawn({"digger", size}, [] {
                tendril::this_fiber::yield();
                return recurse(30'000);
            }).join();
        };
        EXPECT_EXIT(body(), KilledBySignal(SIGSEGV),
                    ContainsRegex("tendril: fiber #[0-9]+ \"digger\" overflowed its [0-9]+ [KM]iB"))
            << size;
    }
}

TEST(StackOverflow, OfAFiberOnAnotherThreadIsNamedToo) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto body = [] {
        ::signal(SIGSEGV, SIG_DFL);
        std::thread([] { spawn({"digger"}, [] { return recurse(30'000); }).join(); }).join();
    };
    EXPECT_EXIT(body(), KilledBySignal(SIGSEGV),
                ContainsRegex("tendril: fiber #[0-9]+ \"digger\" overflowed its 256 KiB"));
}

TEST(StackOverflow, OnAThreadThatTookOverAHubAndItsStacksIsNamedToo) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto body = [] {
        ::signal(SIGSEGV, SIG_DFL);
        std::thread([] { spawn([] {}).join(); }).join();
        std::thread([] { spawn({"digger"}, [] { return recurse(30'000); }).join(); }).join();
    };
    EXPECT_EXIT(body(), KilledBySignal(SIGSEGV),
                ContainsRegex("tendril: fiber #[0-9]+ \"digger\" overflowed its 256 KiB"));
}

} // namespace
