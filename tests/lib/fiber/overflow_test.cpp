// SPDX-License-Identifier: BSL-1.0
#include "fiber/overflow.hpp"

#include "on_stack.hpp"
#include "stack_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <alloca.h>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

namespace tendril::detail {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::ExitedWithCode;
using testing::HasSubstr;
using testing::KilledBySignal;
using testing::Not;

running_fiber running;
running_fiber describe() noexcept {
    return running;
}

volatile int sink = 0;

[[gnu::noinline]] int recurse(int depth) {
    volatile char frame[3'000]; // ThreadSanitizer counts to 65,536 calls
    frame[0] = static_cast<char>(depth);
    const int below = depth == 0 ? 0 : recurse(depth - 1);
    sink = frame[0];
    return below + 1;
}

[[gnu::noinline]] void jump(std::size_t distance) {
    auto* low = static_cast<volatile char*>(alloca(distance));
    *low = 1;
}

void begin(int signal = SIGSEGV, void (*earlier)(int) = SIG_DFL) {
    ::signal(signal, earlier); // not a sanitizer's
    install_overflow_handler(&describe);
    if (!prepare_thread_signal_stack()) {
        std::abort();
    }
}

void run_named(std::size_t size, const char* name, std::function<void()> function) {
    static stack_pool pool;
    stack* s = pool.acquire(size);
    running = running_fiber{s, 17, name};
    run_on_stack(*s, std::move(function));
    running = running_fiber{};
    pool.release(s);
}

class OverflowTest : public StackTest {};

struct overflow_case {
    std::size_t size;
    const char* text;
};

class OverflowAtSize : public OverflowTest, public testing::WithParamInterface<overflow_case> {};

TEST_P(OverflowAtSize, IsReportedAndKills) {
    for (const guard_method method : {guard_method::kernel, guard_method::mprotect}) {
        EXPECT_EXIT(
            {
                set_guard_method(method);
                begin();
                run_named(GetParam().size, "crawl", [] { recurse(1'000'000'000); });
            },
            KilledBySignal(SIGSEGV),
            HasSubstr(std::string("tendril: fiber #17 \"crawl\" overflowed its ") +
                      GetParam().text + " stack\n"));
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, OverflowAtSize,
                         testing::Values(overflow_case{std::size_t{48} << 10, "48 KiB"},
                                         overflow_case{default_stack_size, "256 KiB"},
                                         overflow_case{std::size_t{1} << 20, "1024 KiB"},
                                         overflow_case{std::size_t{80} << 20, "81920 KiB"}));

TEST_F(OverflowTest, AtTheMinimumSize) {
    EXPECT_EXIT(
        {
            begin();
            run_named(minimum_stack_size(), "crawl", [] { recurse(1'000'000'000); });
        },
        KilledBySignal(SIGSEGV), "tendril: fiber #17 \"crawl\" overflowed its [0-9]+ KiB stack");
}

TEST_F(OverflowTest, OfAReusedStack) {
    EXPECT_EXIT(
        {
            begin();
            for (int i = 0; i < 10; ++i) {
                run_named(default_stack_size, "before", [] { recurse(50); });
            }
            run_named(default_stack_size, "crawl", [] { recurse(1'000'000'000); });
        },
        KilledBySignal(SIGSEGV), "tendril: fiber #17 \"crawl\" overflowed its 256 KiB stack");
}

TEST_F(OverflowTest, ALargeFrameDoesNotJumpOverTheGuard) {
    // From the last usable page, by anything up to the guard's size.
    for (const std::size_t distance : {std::size_t{4'096}, guard_size / 2, guard_size - 256}) {
        EXPECT_EXIT(
            {
                begin();
                run_named(default_stack_size, "crawl", [=] {
                    auto* here = static_cast<std::byte*>(__builtin_frame_address(0));
                    const std::byte* low = running.stk->base + guard_bytes();
                    void* used = alloca(static_cast<std::size_t>(here - low) - 1'024);
                    asm volatile("" ::"r"(used)); // kept, and not written to
                    jump(distance + 1'024);
                });
            },
            KilledBySignal(SIGSEGV), "overflowed its 256 KiB stack")
            << distance;
    }
}

TEST_F(OverflowTest, ShowsWhereItHappened) {
    EXPECT_EXIT(
        {
            begin();
            run_named(default_stack_size, "crawl", [] { recurse(1'000'000'000); });
        },
        KilledBySignal(SIGSEGV),
        ContainsRegex("overflowed its 256 KiB stack\n[^\n]*overflow_test[^\n]*0x"));
}

TEST_F(OverflowTest, ANamelessFiberHasANumber) {
    EXPECT_EXIT(
        {
            begin();
            run_named(default_stack_size, "", [] { recurse(1'000'000'000); });
        },
        KilledBySignal(SIGSEGV), "tendril: fiber #17 overflowed its 256 KiB stack\n");
}

TEST_F(OverflowTest, AVeryLongNameIsCutOff) {
    EXPECT_EXIT(
        {
            begin();
            static const std::string name(5'000, 'x');
            run_named(default_stack_size, name.c_str(), [] { recurse(1'000'000'000); });
        },
        KilledBySignal(SIGSEGV), "tendril: fiber #17 \"xxxxxxxxxxxx");
}

TEST_F(OverflowTest, AThreadOfItsOwn) {
    EXPECT_EXIT(
        {
            begin();
            std::thread([] {
                prepare_thread_signal_stack();
                run_named(default_stack_size, "crawl", [] { recurse(1'000'000'000); });
            }).join();
        },
        KilledBySignal(SIGSEGV), "tendril: fiber #17 \"crawl\" overflowed its 256 KiB stack");
}

// ----------------------------------------------------------------------------------- other faults

/// Not null, which UBSan would notice first; below vm.mmap_min_addr.
volatile int* const nowhere = reinterpret_cast<volatile int*>(0x1000);

TEST_F(OverflowTest, AnotherFaultIsNoOverflow) {
    EXPECT_EXIT(
        {
            begin();
            run_named(default_stack_size, "crawl", [] { *nowhere = 1; });
        },
        KilledBySignal(SIGSEGV), Not(HasSubstr("overflowed")));
}

TEST_F(OverflowTest, AForeignGuardIsNoOverflow) {
    EXPECT_EXIT(
        {
            begin();
            static stack_pool other;
            stack* s = other.acquire(default_stack_size);
            run_named(default_stack_size, "crawl", [=] { s->base[0] = std::byte{1}; });
        },
        KilledBySignal(SIGSEGV), Not(HasSubstr("overflowed")));
}

TEST_F(OverflowTest, AFaultGoesToTheEarlierHandler) {
    EXPECT_EXIT(
        {
            begin(SIGSEGV, [](int) { ::_exit(42); });
            *nowhere = 1;
        },
        ExitedWithCode(42), Not(HasSubstr("overflowed")));
}

TEST_F(OverflowTest, AnEarlierHandlerGetsItsArguments) {
    EXPECT_EXIT(
        {
            struct sigaction action {};
            action.sa_flags = SA_SIGINFO;
            sigaddset(&action.sa_mask, SIGUSR1);
            action.sa_sigaction = [](int signal, siginfo_t* info, void* machine) {
                sigset_t mask;
                ::sigprocmask(SIG_SETMASK, nullptr, &mask);
                ::_exit(signal == SIGBUS && info->si_code <= 0 && machine != nullptr &&
                                sigismember(&mask, SIGUSR1) == 1
                            ? 42
                            : 1);
            };
            ::sigaction(SIGBUS, &action, nullptr);
            install_overflow_handler(&describe);
            ::raise(SIGBUS);
        },
        ExitedWithCode(42), "");
}

TEST_F(OverflowTest, AnEarlierHandlerMayJumpOut) {
    EXPECT_EXIT(
        {
            static sigjmp_buf here;
            begin(SIGSEGV, [](int) { siglongjmp(here, 1); });
            static volatile int jumps = 0;
            if (sigsetjmp(here, 1) != 0) {
                jumps = jumps + 1;
            }
            if (jumps < 3) {
                *nowhere = 1;
            }
            // And an overflow is still seen after that.
            run_named(default_stack_size, "crawl", [] { recurse(1'000'000'000); });
        },
        KilledBySignal(SIGSEGV), "tendril: fiber #17 \"crawl\" overflowed its 256 KiB stack");
}

TEST_F(OverflowTest, AOneShotHandlerIsCalledOnce) {
    EXPECT_EXIT(
        {
            struct sigaction action {};
            action.sa_handler = [](int) {
                static_cast<void>(!::write(STDERR_FILENO, "once\n", 5));
            };
            action.sa_flags = static_cast<int>(SA_RESETHAND);
            ::sigaction(SIGSEGV, &action, nullptr);
            install_overflow_handler(&describe);
            *nowhere = 1;
        },
        KilledBySignal(SIGSEGV), AllOf(HasSubstr("once\n"), Not(ContainsRegex("once\n.*once\n"))));
}

TEST_F(OverflowTest, ASentSignalTakesItsDefaultAction) {
    EXPECT_EXIT(
        {
            begin();
            ::raise(SIGSEGV);
        },
        KilledBySignal(SIGSEGV), Not(HasSubstr("overflowed")));
}

TEST_F(OverflowTest, AnIgnoredSentSignalStaysIgnored) {
    EXPECT_EXIT(
        {
            begin(SIGBUS, SIG_IGN);
            ::raise(SIGBUS);
            ::raise(SIGBUS);
            ::_exit(42);
        },
        ExitedWithCode(42), "");
}

TEST_F(OverflowTest, AnIgnoredFaultStillKills) {
    EXPECT_EXIT(
        {
            begin(SIGSEGV, SIG_IGN);
            *nowhere = 1;
        },
        KilledBySignal(SIGSEGV), "");
}

TEST_F(OverflowTest, ALaterHandlerStays) {
    EXPECT_EXIT(
        {
            begin();
            ::signal(SIGSEGV, [](int) { ::_exit(42); });
            install_overflow_handler(&describe);
            *nowhere = 1;
        },
        ExitedWithCode(42), "");
}

// ---------------------------------------------------------------------------------- signal stacks

stack_t signal_stack() {
    stack_t present{};
    EXPECT_EQ(::sigaltstack(nullptr, &present), 0);
    return present;
}

TEST_F(OverflowTest, AThreadsSignalStackComesAndGoes) {
    std::thread([] {
        stack_t off{};
        off.ss_flags = SS_DISABLE;
        ::sigaltstack(&off, nullptr); // a sanitizer's
        ASSERT_TRUE(prepare_thread_signal_stack());
        const stack_t first = signal_stack();
        EXPECT_EQ(first.ss_flags, 0);
        EXPECT_GE(first.ss_size, std::size_t{64} << 10);
        auto* low = static_cast<std::byte*>(first.ss_sp);
        EXPECT_FALSE(readable(low - 1));
        low[0] = low[first.ss_size - 1] = std::byte{1};
        ASSERT_TRUE(prepare_thread_signal_stack());
        EXPECT_EQ(signal_stack().ss_sp, first.ss_sp) << "twice is once";
        release_thread_signal_stack();
        EXPECT_EQ(signal_stack().ss_flags, SS_DISABLE);
        EXPECT_FALSE(readable(low));
        release_thread_signal_stack();
    }).join();
}

TEST_F(OverflowTest, TheProgramsSignalStackStays) {
    std::thread([] {
        const stack_t before = signal_stack();
        std::string memory(std::size_t{64} << 10, 0);
        stack_t own{};
        own.ss_sp = memory.data();
        own.ss_size = memory.size();
        ASSERT_EQ(::sigaltstack(&own, nullptr), 0);
        ASSERT_TRUE(prepare_thread_signal_stack());
        EXPECT_EQ(signal_stack().ss_sp, memory.data());
        release_thread_signal_stack();
        EXPECT_EQ(signal_stack().ss_sp, memory.data());
        ::sigaltstack(&before, nullptr);
    }).join();
}

TEST_F(OverflowTest, NoMemoryForASignalStackIsSaid) {
    std::thread([] {
        const stack_t before = signal_stack();
        stack_t off{};
        off.ss_flags = SS_DISABLE;
        ::sigaltstack(&off, nullptr);
        memory_calls calls;
        calls.fail_at = 1;
        EXPECT_FALSE(prepare_thread_signal_stack());
        EXPECT_EQ(signal_stack().ss_flags, SS_DISABLE);
        ::sigaltstack(&before, nullptr);
    }).join();
}

} // namespace
} // namespace tendril::detail
