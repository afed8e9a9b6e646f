// SPDX-License-Identifier: BSL-1.0
// Pools: never more at a time than allowed, no place is lost, results and errors arrive, and
// nothing outlives the pool; from several hubs, in any order, and given up at each wait.
#include <tendril/channel.hpp>
#include <tendril/event.hpp>
#include <tendril/fiber_pool.hpp>
#include <tendril/timeout.hpp>

#include "settings.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tendril::detail {
namespace {

using namespace std::chrono_literals;

class Pools : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Pools, every_setting, name_of);

/// Several spawn, some give up while they wait for a place.
TEST_P(Pools, BoundHowManyRun) {
    in_each_world([](world& w) {
        std::atomic<int> inside{0};
        std::atomic<int> spawned{0};
        std::atomic<int> done{0};
        fiber_pool pool(2);
        const actor spawns = [&] {
            std::vector<fiber<void>> mine;
            for (int i = 0; i < 4; ++i) {
                move_on_at(w.deadline(), [&] {
                    mine.push_back(pool.spawn([&] {
                        EXPECT_LE(++inside, 2);
                        world::pause();
                        --inside;
                        ++done;
                    }));
                    ++spawned;
                });
            }
            join_all(mine);
        };
        w.run({spawns, spawns, spawns});
        pool.join();
        EXPECT_EQ(done, spawned);
        EXPECT_EQ(pool.running(), 0u);
    });
}

TEST_P(Pools, MapIsOrdered) {
    in_each_world([](world& w) {
        fiber_pool pool(3);
        std::atomic<int> inside{0};
        const actor maps = [&] {
            const std::vector<int> items = {0, 1, 2, 3, 4, 5};
            std::optional<std::vector<int>> squares = move_on_at(w.deadline(), [&] {
                return pool.map(items, [&](const int& i) {
                    const int before = ++inside;
                    EXPECT_LE(before, 3);
                    for (int n = 0; n < 6 - i; ++n) {
                        world::pause();
                    }
                    --inside;
                    return i * i;
                });
            });
            if (squares) {
                EXPECT_EQ(*squares, (std::vector<int>{0, 1, 4, 9, 16, 25}));
            }
        };
        w.run({maps, maps});
        EXPECT_EQ(inside, 0);
        EXPECT_EQ(pool.running(), 0u);
    });
}

TEST_P(Pools, UnorderedResultsComeOnce) {
    in_each_world([](world& w) {
        fiber_pool pool(3);
        const actor maps = [&] {
            std::vector<int> seen;
            const bool all = move_on_at(w.deadline(), [&] {
                for (const int i : pool.map_unordered(std::vector<int>{1, 2, 3, 4, 5}, [&](int i) {
                         world::pause();
                         return i;
                     })) {
                    seen.push_back(i);
                    this_fiber::yield();
                }
            });
            std::sort(seen.begin(), seen.end());
            EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
            if (all) {
                EXPECT_EQ(seen.size(), 5u);
            }
        };
        w.run({maps, maps, maps});
        EXPECT_EQ(pool.running(), 0u);
    });
}

TEST_P(Pools, AFailureEndsTheMap) {
    in_each_world([](world& w) {
        fiber_pool pool(2);
        std::atomic<int> begun{0};
        std::atomic<int> ended{0};
        const actor maps = [&] {
            event never_set;
            EXPECT_THROW(pool.map(std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7},
                                  [&](int i) {
                                      struct end {
                                          std::atomic<int>& count;
                                          ~end() { ++count; }
                                      } const last{ended};
                                      ++begun;
                                      world::pause();
                                      if (i == 3) {
                                          throw std::out_of_range("three");
                                      }
                                      if (i > 3) {
                                          never_set.wait();
                                      }
                                  }),
                         std::out_of_range);
        };
        w.run({maps, maps});
        EXPECT_EQ(begun, ended);
        EXPECT_EQ(pool.running(), 0u);
    });
}

// -------------------------------------------------------------------------------------- one by one

TEST(FiberPool, TenThousandJobsThroughTen) {
    fake_hub hub;
    constexpr int many = sanitized ? 1'000 : 10'000;
    std::vector<int> items(many);
    std::iota(items.begin(), items.end(), 0);
    fiber_pool pool(10);
    int inside = 0;
    int most = 0;
    const auto work = [&](int i) {
        most = std::max(most, ++inside);
        hub.sleep(std::chrono::microseconds(i % 7));
        --inside;
        return 2L * i;
    };
    const std::vector<long> doubled = pool.map(items, work);
    for (int i = 0; i < many; ++i) {
        ASSERT_EQ(doubled[static_cast<std::size_t>(i)], 2L * i);
    }
    long sum = 0;
    for (const long each : pool.map_unordered(items, work)) {
        sum += each;
    }
    EXPECT_EQ(sum, static_cast<long>(many) * (many - 1));
    for (const int i : items) {
        pool.spawn(work, i).detach();
    }
    pool.join();
    EXPECT_EQ(most, 10);
    EXPECT_EQ(hub->live(), 0u);
}

TEST(FiberPool, HandlesHaveResultsAndErrors) {
    fake_hub hub;
    fiber_pool pool(2, {"worker"});
    fiber<int> a = pool.spawn([](std::unique_ptr<int> p) { return *p; }, std::make_unique<int>(3));
    fiber<void> b = pool.spawn([] { throw std::out_of_range("far"); });
    EXPECT_EQ(a.name(), "worker");
    EXPECT_FALSE(pool.try_spawn([] {})) << "full";
    EXPECT_EQ(pool.running(), 2u);
    EXPECT_EQ(a.get(), 3);
    EXPECT_THROW(b.get(), std::out_of_range);
    EXPECT_TRUE(pool.try_spawn([] {}));
    pool.join();
    EXPECT_EQ(pool.running(), 0u);
    EXPECT_THROW(fiber_pool(0), std::system_error);
}

TEST(FiberPool, EndsWhatRuns) {
    fake_hub hub;
    int unwound = 0;
    fiber<void> kept;
    {
        fiber_pool pool(3);
        const auto waits = [&] {
            try {
                this_fiber::sleep_for(1h);
            } catch (const cancelled&) {
                const shield finish;
                hub.sleep(1ms);
                ++unwound;
                throw;
            }
        };
        pool.spawn(waits).detach();
        kept = pool.spawn(waits);
        hub->yield();
        pool.cancel("all change");
        pool.join();
        EXPECT_EQ(unwound, 2);
        pool.spawn(waits).detach(); // it can be used further
        hub->yield();
        pool.spawn([&] { ADD_FAILURE() << "began too late"; }).detach();
    }
    EXPECT_EQ(unwound, 3);
    EXPECT_TRUE(kept.ready());
    EXPECT_EQ(hub->live(), 0u);
}

/// A place is not lost with a fiber that never began, nor with arguments that could not be copied.
TEST(FiberPool, PlacesComeBack) {
    fake_hub hub;
    struct picky {
        picky() = default;
        picky(const picky&) { throw std::length_error("no copies"); }
    } const cannot_be_copied;
    fiber_pool pool(1);
    pool.spawn([] {}).cancel();
    EXPECT_THROW(pool.spawn([](const picky&) {}, cannot_be_copied), std::length_error);
    fiber<int> last = pool.spawn([] { return 1; });
    EXPECT_EQ(last.get(), 1);
}

TEST(FiberPool, MapsRangesOfAllSorts) {
    fake_hub hub;
    fiber_pool pool(2);
    std::list<std::string> words = {"a", "b"};
    pool.map(words, [&](auto& word) {
        hub->yield();
        word += '!';
    });
    EXPECT_EQ(words, (std::list<std::string>{"a!", "b!"}));
    std::vector<std::reference_wrapper<std::string>> same =
        pool.map(words, [](std::string& word) -> std::string& { return word; });
    EXPECT_EQ(&same[1].get(), &words.back());
    channel<std::unique_ptr<int>> numbers;
    fiber<void> sends = spawn([&] {
        for (int i = 0; i < 5; ++i) {
            numbers.send(std::make_unique<int>(i));
        }
        numbers.close();
    });
    const auto taken = pool.map(numbers, [](std::unique_ptr<int> p) { return p; });
    EXPECT_EQ(taken.size(), 5u);
    EXPECT_EQ(*taken[4], 4);
    const std::array<int, 3> three = {1, 2, 3};
    EXPECT_EQ(pool.map(three, [](int i) { return i == 2; }),
              (std::vector<bool>{false, true, false}));
    EXPECT_TRUE(pool.map(std::vector<int>(), [](int i) { return i; }).empty());
}

TEST(MapUnordered, IsInTheOrderOfCompletion) {
    fake_hub hub;
    fiber_pool pool(3);
    std::string order;
    for (const int& ms : pool.map_unordered(std::array<int, 5>{3, 1, 2, 9, 4}, [&](int i) {
             hub.sleep(std::chrono::milliseconds(i));
             return i;
         })) {
        order += std::to_string(ms);
    }
    EXPECT_EQ(order, "12349");
}

TEST(MapUnordered, ErrorsComeInTheirPlace) {
    fake_hub hub;
    fiber_pool pool(2);
    auto results = pool.map_unordered(std::array<int, 4>{0, 1, 2, 3}, [](int i) {
        if (i == 1) {
            throw std::out_of_range("one");
        }
        return i;
    });
    EXPECT_EQ(results.next(), 0);
    EXPECT_THROW(results.next(), std::out_of_range);
    EXPECT_EQ(results.next(), 2);
    EXPECT_EQ(results.next(), 3);
    EXPECT_EQ(results.next(), std::nullopt);
}

TEST(MapUnordered, LeftEarlyItEndsTheRest) {
    fake_hub hub;
    fiber_pool pool(3);
    int begun = 0;
    int ended = 0;
    const std::vector<int> items(100, 1);
    for (const int i : pool.map_unordered(items, [&](int one) {
             struct end {
                 int& count;
                 ~end() { ++count; }
             } const last{ended};
             this_fiber::sleep_for(std::chrono::milliseconds(++begun));
             return one;
         })) {
        EXPECT_EQ(i, 1);
        break;
    }
    EXPECT_EQ(begun, 3);
    EXPECT_EQ(ended, 3);
    EXPECT_EQ(pool.running(), 0u);
}

} // namespace
} // namespace tendril::detail
