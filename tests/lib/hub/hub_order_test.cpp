// SPDX-License-Identifier: BSL-1.0
// In which order a hub runs its fibers, and that nobody starves.
#include "fake_hub.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tendril::detail {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// ThreadSanitizer has room for 8,128 flows.
constexpr bool tsan = std::string_view(TENDRIL_TEST_SANITIZE).find("thread") != std::string::npos;

TEST(HubOrder, SmallProgramsAreFirstInFirstOut) {
    fake_hub hub;
    std::string trace;
    for (const char name : {'a', 'b', 'c'}) {
        spawn([&, name] {
            for (int i = 0; i < 3; ++i) {
                trace += name;
                hub->yield();
            }
        }).detach();
    }
    trace += '-'; // spawning does not switch
    hub.run();
    EXPECT_EQ(trace, "-abcabcabc");
}

TEST(HubOrder, AFiberSpawnedByAFiberRunsAfterThoseThatAreReady) {
    fake_hub hub;
    std::string trace;
    spawn([&] {
        trace += 'a';
        spawn([&] { trace += 'x'; }).detach();
        hub->yield();
        trace += 'A';
    }).detach();
    spawn([&] { trace += 'b'; }).detach();
    hub.run();
    EXPECT_EQ(trace, "abxA");
}

TEST(HubOrder, TheMainFiberTakesItsTurn) {
    fake_hub hub;
    std::string trace;
    spawn([&] {
        for (int i = 0; i < 3; ++i) {
            trace += 'f';
            hub->yield();
        }
    }).detach();
    for (int i = 0; i < 3; ++i) {
        trace += 'm';
        hub->yield();
    }
    EXPECT_EQ(trace, "mfmfmf");
    hub.run();
}

TEST(HubOrder, YieldingAloneGoesOnAtOnce) {
    fake_hub hub;
    for (int i = 0; i < 10'000; ++i) {
        hub->yield();
    }
    EXPECT_EQ(hub.reactor().sleeps(), 0u);
}

/// 64 fibers that never stop, and many that have not begun: each begins, in order.
TEST(HubOrder, YieldersDoNotKeepTheBacklogFromStarting) {
    constexpr int newcomers = tsan ? 1'000 : 10'000;
    fake_hub hub;
    int begun = 0;
    bool in_order = true;
    bool stop = false;
    for (std::size_t i = 0; i < 2 * hub_core::ready_target; ++i) {
        spawn([&] {
            while (!stop) {
                hub->yield();
            }
        }).detach();
    }
    hub->yield();
    for (int i = 0; i < newcomers; ++i) {
        spawn([&, i] { in_order = in_order && begun++ == i; }).detach();
    }
    while (begun != newcomers) {
        hub->yield();
    }
    EXPECT_TRUE(in_order);
    stop = true;
    hub.run();
}

/// The point of the backlog: fibers that end soon share few stacks, however many are spawned.
TEST(HubOrder, ManyShortFibersNeedFewStacks) {
    fake_hub hub;
    int ended = 0;
    for (int i = 0; i < 10'000; ++i) {
        spawn([&] { ++ended; }).detach();
    }
    EXPECT_EQ(hub->live(), 10'000u);
    EXPECT_EQ(hub->stacks().live, 0u) << "nobody has begun";
    hub.run();
    EXPECT_EQ(ended, 10'000);
    EXPECT_EQ(hub->live(), 0u);
    EXPECT_LE(hub->stacks().pooled, 2u);
}

TEST(HubOrder, ManyYieldingFibersAllGoOnFairly) {
    constexpr std::size_t fibers = tsan ? 300 : 1'500;
    fake_hub hub;
    std::vector<int> turns(fibers, 0);
    bool stop = false;
    for (std::size_t i = 0; i < fibers; ++i) {
        spawn([&, i] {
            while (!stop) {
                ++turns[i];
                hub->yield();
            }
        }).detach();
    }
    while (turns.back() < 20) {
        hub->yield();
    }
    const int earliest = turns.front();
    hub->yield(); // one round
    for (const int t : turns) {
        EXPECT_GE(t, 20);
        EXPECT_LE(t, earliest + 1);
    }
    stop = true;
    hub.run();
}

TEST(HubOrder, SleepersWakeInTheOrderOfTheirDeadlines) {
    constexpr int sleepers = 1'000;
    fake_hub hub;
    std::mt19937 random(7);
    std::uniform_int_distribution<int> delay(0, 50'000);
    std::vector<std::pair<time_point, int>> expected;
    std::vector<int> woken;
    for (int i = 0; i < sleepers; ++i) {
        const time_point deadline = hub->now() + hours(1) + microseconds(delay(random));
        expected.emplace_back(deadline, i);
        spawn([&, deadline, i] {
            EXPECT_EQ(hub->sleep_until(deadline), wake::timeout);
            EXPECT_GE(hub->now(), deadline) << "early";
            woken.push_back(i);
        }).detach();
    }
    hub.run();
    std::stable_sort(expected.begin(), expected.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    ASSERT_EQ(woken.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(woken[i], expected[i].second) << i;
    }
    EXPECT_EQ(hub->now(), expected.back().first) << "nobody slept longer than asked either";
}

TEST(HubOrder, ASleepIsNeverEndedOneNanosecondEarly) {
    fake_hub hub;
    const time_point deadline = hub->now() + milliseconds(3);
    bool awake = false;
    spawn([&] {
        hub->sleep_until(deadline);
        awake = true;
    }).detach();
    hub->yield();
    hub.reactor().advance(milliseconds(3) - nanoseconds(1));
    for (int i = 0; i < 2'000; ++i) { // many polls
        hub->yield();
    }
    EXPECT_FALSE(awake);
    hub.reactor().advance(nanoseconds(1));
    for (int i = 0; i < 2'000 && !awake; ++i) {
        hub->yield();
    }
    EXPECT_TRUE(awake);
    hub.run();
}

TEST(HubOrder, PollsSoonerWhileThereIsMore) {
    fake_hub hub;
    hub.reactor().say_more(true);
    const std::size_t before = hub.reactor().polls();
    spawn([&] {
        for (int i = 0; i < 10'000; ++i) {
            hub->yield();
        }
    }).join();
    EXPECT_GE(hub.reactor().polls() - before, 10'000U / 384);
    hub.reactor().say_more(false);
    hub.run();
}

TEST(HubOrder, TimersFireWhileOthersNeverStop) {
    fake_hub hub;
    bool stop = false;
    spawn([&] {
        while (!stop) {
            hub.reactor().advance(nanoseconds(100));
            hub->yield();
        }
    }).detach();
    hub.sleep(milliseconds(1));
    stop = true;
    hub.run();
}

TEST(HubOrder, EventsAreDeliveredWhileOthersNeverStop) {
    struct recorder final : reactor::listener {
        std::vector<std::uint64_t> tokens;
        void on_ready(std::uint64_t token, std::uint32_t) noexcept override {
            tokens.push_back(token);
        }
    } seen;
    fake_hub hub;
    hub->set_listener(&seen);
    bool stop = false;
    spawn([&] {
        while (!stop) {
            hub->yield();
        }
    }).detach();
    hub->yield();
    const std::uint64_t before = hub->switches();
    hub.reactor().report(42, readiness::in);
    while (seen.tokens.empty()) {
        hub->yield();
    }
    EXPECT_EQ(seen.tokens, std::vector<std::uint64_t>{42});
    EXPECT_LE(hub->switches() - before, 520u);
    stop = true;
    hub.run();
}

TEST(HubOrder, OperationsThatNeverWaitYieldAfterABudget) {
    fake_hub hub;
    int done = 0;
    bool other_ran = false;
    spawn([&] {
        while (!other_ran) {
            ++done;
            hub->charge();
        }
    }).detach();
    spawn([&] { other_ran = true; }).detach();
    hub.run();
    EXPECT_LE(done, 2 * static_cast<int>(hub_core::operations_per_turn));
}

TEST(HubOrder, TheHubsWorkLeavesErrnoAlone) {
    struct spoiler final : reactor::listener {
        void on_ready(std::uint64_t, std::uint32_t) noexcept override { errno = ENOTTY; }
    } spoils;
    fake_hub hub;
    hub->set_listener(&spoils);
    errno = EXDEV;
    hub.reactor().report(1, readiness::in);
    hub.sleep(milliseconds(1)); // alone: comes back without a switch
    EXPECT_EQ(errno, EXDEV);
    for (int i = 0; i < 1'000; ++i) {
        hub.reactor().report(1, readiness::in);
        hub->yield();
    }
    EXPECT_EQ(errno, EXDEV);
}

TEST(HubOrder, AMillionSleeps) {
    constexpr int fibers = tsan ? 500 : 5'000;
    constexpr int sleeps = sizeof TENDRIL_TEST_SANITIZE > 1 ? 20 : 200;
    fake_hub hub;
    std::mt19937 random(11);
    std::uniform_int_distribution<int> delay(1, 20'000'000);
    std::int64_t early = 0;
    for (int i = 0; i < fibers; ++i) {
        spawn([&, i] {
            std::minstd_rand own(static_cast<unsigned>(i) + 1);
            for (int n = 0; n < sleeps; ++n) {
                const time_point deadline = hub->now() + nanoseconds(delay(own));
                hub->sleep_until(deadline);
                early += hub->now() < deadline ? 1 : 0;
            }
        }).detach();
    }
    hub.run();
    EXPECT_EQ(early, 0);
    EXPECT_EQ(hub->counters().waits[static_cast<std::size_t>(wait_kind::sleep)],
              static_cast<std::uint64_t>(fibers) * sleeps);
}

} // namespace
} // namespace tendril::detail
