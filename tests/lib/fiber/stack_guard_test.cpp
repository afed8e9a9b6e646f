// SPDX-License-Identifier: BSL-1.0
// Guards, their substitutes, and what happens when the kernel refuses.
#include "fiber/overflow.hpp"
#include "fiber/stack.hpp"
#include "fiber/stack_memory.hpp"
#include "stack_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace tendril::detail {
namespace {

using testing::ExitedWithCode;
using testing::KilledBySignal;

class StackGuardTest : public StackTest {};

// --------------------------------------------------------------------------------- guards persist

TEST_F(StackGuardTest, GuardsArePassedOnByFork) {
    stack_pool pool;
    stack* s = pool.acquire(default_stack_size);
    const pid_t child = ::fork();
    if (child == 0) {
        stack* fresh = pool.acquire(default_stack_size);
        ::_exit(guarded(*s) && fresh != nullptr && guarded(*fresh) ? 0 : 1);
    }
    int result = -1;
    ASSERT_EQ(::waitpid(child, &result, 0), child);
    EXPECT_EQ(result, 0);
    EXPECT_TRUE(guarded(*s));
    pool.release(s);
}

TEST_F(StackGuardTest, ATouchOfTheGuardIsSigsegv) {
    stack_pool pool;
    stack* s = pool.acquire(default_stack_size);
    for (const std::size_t offset : {std::size_t{0}, guard_bytes() / 2, guard_bytes() - 1}) {
        EXPECT_EXIT(
            {
                ::signal(SIGSEGV, SIG_DFL);
                const_cast<volatile std::byte&>(s->base[offset]) = std::byte{1};
            },
            KilledBySignal(SIGSEGV), "");
    }
    pool.release(s);
}

TEST_F(StackGuardTest, LockedMemoryHasGuardsToo) {
    if (sanitized) {
        GTEST_SKIP() << "locks the shadow memory";
    }
    stack_pool pool;
    stack* before = pool.acquire(default_stack_size);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::mlockall(MCL_FUTURE | MCL_CURRENT) != 0) {
            ::_exit(77);
        }
        // From a slab that mlockall(MCL_CURRENT) locked, and from new ones.
        bool good = guarded(*before) && pool.acquire(default_stack_size) != nullptr;
        const std::size_t resident = status("VmRSS");
        for (int i = 0; i < 500 && good; ++i) {
            stack* s = pool.acquire(default_stack_size);
            good = s != nullptr && s->guarded && guarded(*s);
        }
        const bool filled = status("VmRSS") - resident > (std::size_t{20} << 20);
        const bool fences = mappings() > 500;
        ::_exit((good ? 0 : 1) + (filled ? 2 : 0) + (fences ? 4 : 0));
    }
    int result = -1;
    ASSERT_EQ(::waitpid(child, &result, 0), child);
    ASSERT_TRUE(WIFEXITED(result));
    if (WEXITSTATUS(result) == 77) {
        GTEST_SKIP() << "mlockall is not permitted";
    }
    EXPECT_EQ(WEXITSTATUS(result), 0) << "1: not guarded, 2: filled with memory, 4: by mprotect";
    pool.release(before);
}

// ---------------------------------------------------------------------------- the other methods

TEST_F(StackGuardTest, GuardsByMprotect) {
    set_guard_method(guard_method::mprotect);
    const std::size_t maps = mappings();
    stack_pool pool;
    const std::vector<stack*> all = take(pool, 200, default_stack_size);
    EXPECT_GE(mappings(), maps + 2 * 200);
    for (stack* s : all) {
        EXPECT_TRUE(s->guarded);
        EXPECT_TRUE(guarded(*s));
        write_every_page(*s);
    }
    EXPECT_EQ(pool.statistics().unguarded, 0u);
    give_back(pool, all);
}

TEST_F(StackGuardTest, AnOlderKernelGetsMprotect) {
    memory_calls calls;
    calls.no_guards = true;
    const std::size_t maps = mappings();
    stack_pool pool;
    const std::vector<stack*> all = take(pool, 20, default_stack_size);
    EXPECT_GE(mappings(), maps + 2 * 20);
    for (stack* s : all) {
        EXPECT_TRUE(guarded(*s));
    }
    give_back(pool, all);
}

TEST_F(StackGuardTest, WithoutMoreMappingsItSaysSoOnceAndGoesOn) {
    EXPECT_EXIT(
        {
            memory_calls calls;
            calls.protect_limit = 10;
            set_guard_method(guard_method::mprotect);
            stack_pool pool;
            const std::vector<stack*> all = take(pool, 100, default_stack_size);
            for (stack* s : all) {
                write_every_page(*s);
            }
            const bool good =
                pool.statistics().unguarded == 90 && all[9]->guarded && !all[10]->guarded;
            give_back(pool, all);
            std::exit(good ? 0 : 1);
        },
        ExitedWithCode(0),
        testing::AllOf(testing::HasSubstr("vm.max_map_count"),
                       testing::Not(testing::ContainsRegex("\n.*vm.max_map_count"))));
}

TEST_F(StackGuardTest, MappingsAreLeftToTheProgram) {
    EXPECT_EXIT(
        {
            set_guard_method(guard_method::mprotect);
            stack_pool pool;
            const std::vector<stack*> all = take(pool, 40'000, std::size_t{32} << 10);
            const std::size_t guarded_ones = all.size() - pool.statistics().unguarded;
            void* more = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            std::exit(all.size() == 40'000 && guarded_ones > 100 && more != MAP_FAILED ? 0 : 1);
        },
        ExitedWithCode(0), "");
}

running_fiber described;
running_fiber describe_it() noexcept {
    return described;
}

TEST_F(StackGuardTest, AnIntactCanaryIsSilent) {
    set_guard_method(guard_method::canary);
    stack_pool pool;
    stack* s = pool.acquire(default_stack_size);
    EXPECT_FALSE(s->guarded);
    EXPECT_EQ(pool.statistics().unguarded, 1u);
    for (std::byte* at = s->base + page_size(); at < s->top(); at += 64) {
        *at = std::byte{7};
    }
    stack_pool::check_canary(*s);
    pool.release(s);
}

TEST_F(StackGuardTest, ADamagedCanaryNamesTheFiberAndAborts) {
    set_guard_method(guard_method::canary);
    stack_pool pool;
    stack* s = pool.acquire(default_stack_size);
    for (const std::size_t offset : {std::size_t{0}, page_size() - 1}) {
        EXPECT_EXIT(
            {
                install_overflow_handler(&describe_it);
                described = running_fiber({s, 17, "crawl"});
                s->base[offset] ^= std::byte{1};
                stack_pool::check_canary(*s);
            },
            KilledBySignal(SIGABRT), "tendril: fiber #17 \"crawl\" overflowed its 256 KiB stack");
    }
    pool.release(s);
}

// --------------------------------------------------------------------------------------- failures

TEST_F(StackGuardTest, TheNthFailureLeaksNothing) {
    for (const int error : {ENOMEM, EINVAL, EAGAIN}) {
        for (int n = 1; n <= 12; ++n) {
            EXPECT_EXIT(
                {
                    memory_calls calls;
                    calls.error = error;
                    calls.fail_at = n;
                    {
                        stack_pool pool;
                        std::vector<stack*> all;
                        for (int i = 0; i < 20; ++i) {
                            if (stack* s = pool.acquire(i < 10 ? default_stack_size : 1 << 20)) {
                                write_every_page(*s);
                                all.push_back(s);
                            }
                        }
                        const bool counted = pool.statistics().live == all.size();
                        if (all.size() < 19 || !counted) {
                            std::exit(1);
                        }
                        give_back(pool, all);
                    }
                    std::exit(calls.mapped_bytes() == 0 ? 0 : 2);
                },
                ExitedWithCode(0), "")
                << n;
        }
    }
}

TEST_F(StackGuardTest, NoAddressSpaceMeansNull) {
    memory_calls calls;
    stack_pool pool;
    const std::vector<stack*> first = take(pool, 16, default_stack_size);
    const stack_memory_calls working = stack_memory;
    stack_memory.map = [](void*, std::size_t, int, int, int, off_t) -> void* {
        errno = ENOMEM;
        return MAP_FAILED;
    };
    EXPECT_EQ(pool.acquire(default_stack_size), nullptr);
    EXPECT_EQ(pool.acquire(std::size_t{1} << 20), nullptr);
    EXPECT_EQ(pool.acquire(std::size_t{1} << 30), nullptr);
    EXPECT_EQ(pool.statistics().live, 16u);
    pool.release(first[3]);
    EXPECT_EQ(pool.acquire(default_stack_size), first[3]);
    stack_memory = working;
    stack* later = pool.acquire(default_stack_size);
    EXPECT_NE(later, nullptr);
    pool.release(later);
    give_back(pool, first);
}

TEST_F(StackGuardTest, ALimitOnAddressSpaceIsUsedUpAndSurvived) {
    if (sanitized) {
        GTEST_SKIP() << "shadow memory is address space";
    }
    EXPECT_EXIT(
        {
            const std::size_t room = std::size_t{100} << 20;
            rlimit limit{};
            ::getrlimit(RLIMIT_AS, &limit);
            limit.rlim_cur = status("VmSize") + room;
            ::setrlimit(RLIMIT_AS, &limit);
            stack_pool pool;
            std::vector<stack*> all;
            while (stack* s = pool.acquire(default_stack_size)) {
                all.push_back(s);
            }
            const bool used = all.size() >= room / default_stack_size / 2;
            pool.release(all.back());
            const bool reused = pool.acquire(default_stack_size) == all.back();
            limit.rlim_cur = limit.rlim_max;
            ::setrlimit(RLIMIT_AS, &limit);
            const bool again = pool.acquire(default_stack_size) != nullptr;
            std::exit(used && reused && again ? 0 : 1);
        },
        ExitedWithCode(0), "");
}

} // namespace
} // namespace tendril::detail
