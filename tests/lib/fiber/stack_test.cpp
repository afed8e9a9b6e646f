// SPDX-License-Identifier: BSL-1.0
#include "fiber/stack.hpp"

#include "on_stack.hpp"
#include "stack_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tendril::detail {
namespace {

// ------------------------------------------------------------------------------------------ sizes

TEST_F(StackTest, SizesAreRoundedUpToClasses) {
    EXPECT_EQ(stack_pool::rounded(default_stack_size), default_stack_size);
    EXPECT_EQ(stack_pool::rounded(0), stack_pool::rounded(1));
    EXPECT_EQ(stack_pool::rounded(maximum_stack_size), maximum_stack_size);
    EXPECT_EQ(stack_pool::rounded(maximum_stack_size + 1), 0u);
    std::size_t last = 0;
    for (std::size_t size = 1; size < maximum_stack_size; size += size / 7 + 1) {
        const std::size_t rounded = stack_pool::rounded(size);
        ASSERT_GE(rounded, size);
        ASSERT_GE(rounded, last);
        ASSERT_EQ(rounded % page_size(), 0u);
        ASSERT_EQ(stack_pool::rounded(rounded), rounded);
        if (size >= minimum_stack_size()) {
            ASSERT_LE(rounded, size + size / 4 + page_size());
        }
        last = rounded;
    }
}

TEST_F(StackTest, TheMinimumHasRoomForTwoSignalFrames) {
    EXPECT_EQ(minimum_stack_size() % page_size(), 0u);
    EXPECT_GE(minimum_stack_size(), guard_bytes() + (std::size_t{16} << 10));
#ifdef _SC_MINSIGSTKSZ
    EXPECT_GE(minimum_stack_size(),
              guard_bytes() + 2 * static_cast<std::size_t>(::sysconf(_SC_MINSIGSTKSZ)));
#endif
}

TEST_F(StackTest, EverySizeIsUsableFromItsGuardToItsTop) {
    stack_pool pool;
    for (const std::size_t size :
         {std::size_t{0}, minimum_stack_size(), minimum_stack_size() + 1, std::size_t{100'001},
          default_stack_size - 1, default_stack_size, default_stack_size + 1, std::size_t{1} << 20,
          std::size_t{5'000'001}, std::size_t{64} << 20, (std::size_t{64} << 20) + 1}) {
        stack* a = pool.acquire(size);
        stack* b = pool.acquire(size);
        ASSERT_NE(a, nullptr);
        ASSERT_NE(b, nullptr);
        for (stack* s : {a, b}) {
            EXPECT_EQ(s->size, stack_pool::rounded(size));
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(s->top()) % 16, 0u);
            EXPECT_LE(s->top() + sizeof(stack), s->base + s->size);
            EXPECT_LT(s->base + s->size - s->top(), 4096 - 1024);
            EXPECT_TRUE(s->guarded);
            EXPECT_TRUE(guarded(*s)) << size;
            write_every_page(*s);
        }
        EXPECT_TRUE(a->base >= b->base + b->size || b->base >= a->base + a->size);
        pool.release(a);
        pool.release(b);
    }
}

TEST_F(StackTest, TheLargestIsOnlyAddressSpace) {
    stack_pool pool;
    stack* s = pool.acquire(maximum_stack_size);
    ASSERT_NE(s, nullptr);
    EXPECT_TRUE(guarded(*s));
    EXPECT_EQ(pool.acquire(maximum_stack_size + 1), nullptr);
    EXPECT_EQ(pool.acquire(std::size_t{1} << 40), nullptr);
    EXPECT_EQ(pool.acquire(~std::size_t{0}), nullptr);
    pool.release(s);
    EXPECT_EQ(pool.acquire(maximum_stack_size), s) << "reused";
    pool.release(s);
}

// ------------------------------------------------------------------------------------------ reuse

TEST_F(StackTest, ReusedLastInFirstOut) {
    for (const std::size_t size : {default_stack_size, std::size_t{100'000}}) {
        stack_pool pool;
        const std::vector<stack*> all = take(pool, 3, size);
        give_back(pool, all);
        EXPECT_EQ(pool.acquire(size), all[2]);
        EXPECT_EQ(pool.acquire(size), all[1]);
        EXPECT_EQ(pool.acquire(size), all[0]);
        EXPECT_EQ(pool.statistics().live, 3u);
        EXPECT_EQ(pool.statistics().pooled, 0u);
        give_back(pool, all);
        EXPECT_EQ(pool.statistics().live, 0u);
        EXPECT_EQ(pool.statistics().pooled, 3u);
    }
}

TEST_F(StackTest, ManyComeBackAllDifferent) {
    stack_pool pool;
    std::vector<stack*> first = take(pool, 3'000, default_stack_size);
    give_back(pool, first);
    EXPECT_EQ(pool.statistics().pooled, 3'000u);
    std::vector<stack*> second = take(pool, 3'000, default_stack_size);
    std::sort(first.begin(), first.end());
    std::sort(second.begin(), second.end());
    EXPECT_EQ(first, second);
    give_back(pool, second);
}

TEST_F(StackTest, WhatAStackHoldsSurvivesInThePool) {
    stack_pool pool;
    stack* s = pool.acquire(default_stack_size);
    int runs = 0;
    for (int i = 0; i < 3; ++i) {
        run_on_stack(*s, [&] { ++runs; });
        s->top()[-3'000] = std::byte{9}; // as deep as a parked loop might be
        pool.release(s);
        ASSERT_EQ(pool.acquire(default_stack_size), s);
        EXPECT_EQ(s->top()[-3'000], std::byte{9});
        EXPECT_TRUE(guarded(*s));
    }
    EXPECT_EQ(runs, 3);
    pool.release(s);
}

TEST_F(StackTest, ASingleOneIsUnmappedWhenTheNextComesBack) {
    memory_calls calls;
    stack_pool pool;
    constexpr std::size_t size = std::size_t{100} << 20;
    const std::vector<stack*> all = take(pool, 3, size);
    give_back(pool, all);
    EXPECT_EQ(pool.statistics().pooled, 1u);
    EXPECT_LT(calls.mapped_bytes(), 2 * size);
    stack* other = pool.acquire(2 * size);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(other->size, 2 * size);
    EXPECT_EQ(pool.acquire(size), all[2]);
    pool.release(all[2]);
    pool.release(other);
    EXPECT_EQ(pool.statistics().live, 0u);
}

#ifdef TENDRIL_ASAN
TEST_F(StackTest, ReuseClearsWhatAForcedEndLeftPoisoned) {
    stack_pool pool;
    stack* s = pool.acquire(default_stack_size);
    std::byte* low = s->top() - 10'000;
    __asan_poison_memory_region(low, 64);
    pool.release(s);
    ASSERT_EQ(pool.acquire(default_stack_size), s);
    EXPECT_EQ(__asan_region_is_poisoned(low, 64), nullptr);
    pool.release(s);
}
#endif

// ----------------------------------------------------------------------------------------- memory

TEST_F(StackTest, AHundredThousandGuardedAtAPageEach) {
    constexpr std::size_t count = 100'000;
    stack_pool pool;
    std::vector<stack*> all;
    all.reserve(count);
    const std::size_t resident = status("VmRSS");
    const std::size_t tables = status("VmPTE");
    const std::size_t maps = mappings();
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(pool.acquire(default_stack_size));
        ASSERT_NE(all.back(), nullptr) << i;
    }
    EXPECT_EQ(pool.statistics().live, count);
    if (pool.statistics().unguarded == 0) {
        EXPECT_LT(mappings(), maps + 300) << "guards by the kernel cost no mappings";
        for (std::size_t i = 0; i < count; i += 997) {
            ASSERT_TRUE(guarded(*all[i])) << i;
        }
        EXPECT_TRUE(guarded(*all.back()));
        if (!sanitized) {
            EXPECT_LE((status("VmRSS") - resident) / count, 4'200u);
            EXPECT_LE((status("VmPTE") - tables) / count, 600u);
        }
    }
    give_back(pool, all);
}

TEST_F(StackTest, DeepPagesOfManyPooledStacksGoBack) {
    constexpr std::size_t count = 1'500;
    stack_pool pool;
    const std::vector<stack*> all = take(pool, count, default_stack_size);
    const std::size_t before = status("VmRSS");
    for (stack* s : all) {
        write_every_page(*s);
        s->top()[-100] = std::byte{42};
    }
    const std::size_t deep = status("VmRSS");
    give_back(pool, all);
    const std::size_t after = status("VmRSS");
    if (!sanitized) {
        EXPECT_GT(deep - before, count * 50 * page_size());
        EXPECT_LT(after - before, (deep - before) / 3);
    }
    for (stack* s : all) {
        ASSERT_TRUE(guarded(*s)) << "MADV_DONTNEED leaves guards alone";
        ASSERT_EQ(s->top()[-100], std::byte{42}) << "the parked context is at the top";
    }
}

TEST_F(StackTest, ShallowStacksGoBackWithoutSystemCalls) {
    stack_pool pool;
    const std::vector<stack*> all = take(pool, 5'000, default_stack_size);
    give_back(pool, all);
    give_back(pool, take(pool, 5'000, default_stack_size));
    static int advised;
    advised = 0;
    const stack_memory_calls original = stack_memory;
    stack_memory.advise = [](void* start, std::size_t n, int advice) {
        ++advised;
        return ::madvise(start, n, advice);
    };
    for (int i = 0; i < 3; ++i) {
        give_back(pool, take(pool, 5'000, default_stack_size));
    }
    stack_memory = original;
    if (!sanitized) {
        EXPECT_LT(advised, 3'000);
    }
}

TEST_F(StackTest, SlabsAreUnmappedWithThePool) {
    memory_calls calls;
    {
        stack_pool pool;
        give_back(pool, take(pool, 1'000, default_stack_size));
        give_back(pool, take(pool, 100, std::size_t{1} << 20));
        give_back(pool, take(pool, 2, std::size_t{1} << 30));
        EXPECT_GT(calls.mapped_bytes(), std::size_t{1} << 30);
    }
    EXPECT_EQ(calls.mapped_bytes(), 0u);
}

TEST_F(StackTest, TheSlabOfAnAbandonedStackStays) {
    stack* abandoned = nullptr;
    {
        stack_pool pool;
        abandoned = pool.acquire(default_stack_size);
    }
    write_every_page(*abandoned);
    EXPECT_TRUE(guarded(*abandoned));
}

} // namespace
} // namespace tendril::detail
