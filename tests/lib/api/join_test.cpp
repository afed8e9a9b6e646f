// SPDX-License-Identifier: BSL-1.0
// Waiting for fibers, from fibers and from threads.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <random>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using tendril::fiber;
using tendril::spawn;

TEST(Join, OfAnEndedFiberReturnsAtOnce) {
    auto f = spawn([] {});
    f.join();
    const auto switches = tendril::hub::current().statistics().switches;
    f.join();
    EXPECT_TRUE(f.join_for(0s));
    EXPECT_TRUE(f.join_until(steady_clock::time_point::min()));
    EXPECT_EQ(tendril::hub::current().statistics().switches, switches);
}

TEST(Join, ByItselfIsADeadlock) {
    fiber<void>* self = nullptr;
    int code = 0;
    auto f = spawn([&] {
        try {
            self->join();
        } catch (const std::system_error& e) {
            code = e.code().value();
        }
    });
    self = &f;
    f.join();
    EXPECT_EQ(code, EDEADLK);
}

TEST(Join, BySeveralFibersWakesAll) {
    auto slow = spawn([] { tendril::this_fiber::sleep_for(2ms); });
    int woken = 0;
    std::vector<fiber<void>> joiners;
    for (int i = 0; i < 10; ++i) {
        joiners.push_back(spawn([&] {
            slow.join();
            EXPECT_TRUE(slow.ready());
            ++woken;
        }));
    }
    for (auto& j : joiners) {
        j.join();
    }
    EXPECT_EQ(woken, 10);
}

TEST(Join, FromThreadsThatHaveNoHubYet) {
    std::atomic<bool> go{false};
    auto f = spawn([&] {
        while (!go) {
            tendril::this_fiber::sleep_for(100us);
        }
    });
    std::atomic<int> joined{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            EXPECT_FALSE(f.join_for(1ms));
            ++joined;
            f.join();
            EXPECT_TRUE(f.ready());
            ++joined;
        });
    }
    while (joined != 3) {
        tendril::this_fiber::sleep_for(100us);
    }
    go = true;
    f.join();
    for (std::thread& t : threads) {
        t.join();
    }
    EXPECT_EQ(joined, 6);
}

TEST(Join, ForNoTimeOnlyLooks) {
    auto f = spawn([] {});
    const auto switches = tendril::hub::current().statistics().switches;
    EXPECT_FALSE(f.join_for(0s));
    EXPECT_FALSE(f.join_for(-1h));
    EXPECT_FALSE(f.join_for(std::chrono::nanoseconds::min()));
    EXPECT_FALSE(f.join_for(std::chrono::duration<double>(-1e300)));
    EXPECT_FALSE(f.join_until(steady_clock::time_point::min()));
    EXPECT_EQ(tendril::hub::current().statistics().switches, switches);
    f.join();
}

TEST(Join, LookingAgainAndAgainLetsTheFiberRun) {
    auto f = spawn([] { tendril::this_fiber::yield(); });
    while (!f.join_for(0s)) {
    }
    SUCCEED();
}

TEST(Join, ForeverIsForever) {
    const auto with = [](auto duration) {
        auto f = spawn([] { tendril::this_fiber::sleep_for(1ms); });
        EXPECT_TRUE(f.join_for(duration));
    };
    with(std::chrono::hours::max());
    with(std::chrono::nanoseconds::max());
    with(std::chrono::years(10'000));
    with(std::chrono::duration<double>(1e300));
    with(std::chrono::duration<double>(std::numeric_limits<double>::infinity()));
    with(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()));
    with(std::chrono::duration<float, std::nano>(std::numeric_limits<float>::max()));
    with(std::chrono::duration<std::uint64_t, std::nano>(~std::uint64_t{0}));
    with(std::chrono::duration<double, std::nano>(9.223372036854775e18));
}

TEST(Join, ForSomeTimeGivesUpNotBefore) {
    auto f = spawn([] { tendril::this_fiber::sleep_for(1h); });
    const auto start = steady_clock::now();
    EXPECT_FALSE(f.join_for(3ms));
    EXPECT_GE(steady_clock::now() - start, 3ms);
    const auto again = steady_clock::now();
    EXPECT_FALSE(f.join_for(std::chrono::duration<double>(0.002)));
    EXPECT_GE(steady_clock::now() - again, 2ms);
    EXPECT_FALSE(f.ready());
}

TEST(Sleep, OfNoTimeYields) {
    std::string trace;
    auto f = spawn([&] {
        for (int i = 0; i < 3; ++i) {
            trace += 'f';
            tendril::this_fiber::yield();
        }
    });
    for (const auto d : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
        trace += 'm';
        tendril::this_fiber::sleep_for(d);
    }
    f.join();
    EXPECT_EQ(trace, "mfmfmf");
    tendril::this_fiber::sleep_until(steady_clock::now() - 1h);
    tendril::this_fiber::sleep_until(steady_clock::time_point::min());
}

TEST(Sleep, IsNeverShorterThanAsked) {
    std::vector<fiber<void>> all;
    for (int i = 0; i < 200; ++i) {
        all.push_back(spawn([i] {
            std::minstd_rand random(static_cast<unsigned>(i) + 1);
            for (int n = 0; n < 5; ++n) {
                const auto d = std::chrono::nanoseconds(random() % 3'000'000);
                const auto start = steady_clock::now();
                tendril::this_fiber::sleep_for(d);
                EXPECT_GE(steady_clock::now() - start, d);
            }
        }));
    }
    for (auto& f : all) {
        f.get();
    }
}

/// Fibers of several hubs and plain threads join the same fibers, with deadlines that race their
/// ends.
TEST(Join, RacesOfEndsAndDeadlinesAcrossThreads) {
    constexpr int rounds = 40;
    constexpr int targets = 16;
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<fiber<int>> fibers(targets);
    std::atomic<int> round{-1};
    std::atomic<int> done{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937 random(seed + t);
            for (int r = 0; r < rounds; ++r) {
                while (round.load() != r) {
                    std::this_thread::yield();
                }
                std::vector<fiber<void>> joiners;
                for (auto& f : fibers) {
                    joiners.push_back(spawn([&f, d = std::chrono::microseconds(random() % 200)] {
                        const auto deadline = steady_clock::now() + d;
                        if (!f.join_until(deadline)) {
                            EXPECT_GE(steady_clock::now(), deadline);
                            f.join();
                        }
                        EXPECT_TRUE(f.ready());
                    }));
                }
                for (auto& j : joiners) {
                    j.get();
                }
                ++done;
            }
        });
    }
    std::mt19937 random(seed);
    for (int r = 0; r < rounds; ++r) {
        for (int i = 0; i < targets; ++i) {
            fibers[static_cast<std::size_t>(i)] =
                spawn([i, d = std::chrono::microseconds(random() % 200)] {
                    tendril::this_fiber::sleep_for(d);
                    return i;
                });
        }
        done = 0;
        round = r;
        while (done != 3) {
            tendril::this_fiber::sleep_for(20us);
        }
        for (int i = 0; i < targets; ++i) {
            EXPECT_EQ(fibers[static_cast<std::size_t>(i)].get(), i);
        }
    }
    for (std::thread& t : threads) {
        t.join();
    }
}

} // namespace
