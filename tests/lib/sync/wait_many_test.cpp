// SPDX-License-Identifier: BSL-1.0
// Waiting for any, some and all of many things, of every kind and from everywhere: nobody is lost,
// none comes twice, and what was given up leaves nothing behind in anybody's list.
#include <tendril/cancel.hpp>
#include <tendril/event.hpp>
#include <tendril/future.hpp>
#include <tendril/wait.hpp>

#include "settings.hpp"

#include <cerrno>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tendril::detail {
namespace {

using namespace std::chrono_literals;
using indices = std::vector<std::size_t>;

class WaitMany : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, WaitMany, every_setting, name_of);

constexpr std::size_t things = 6;

/// Everybody waits for all, with deadlines that pass; what is done by whom comes in any order.
TEST_P(WaitMany, AllComeToAllWhoWait) {
    in_each_world([](world& w) {
        std::deque<event> events(things);
        promise<int> p;
        const shared_future<int> f = p.get_future().share();
        std::atomic<int> gone{0};
        const actor waits = [&] {
            while (!join_all_until(w.deadline(), events, f)) {
            }
            EXPECT_TRUE(f.ready());
            for (const event& e : events) {
                EXPECT_TRUE(e.is_set());
            }
            ++gone;
        };
        const auto sets = [&](std::size_t from) {
            return [&, from] {
                for (std::size_t i = from; i < things; i += 2) {
                    world::pause();
                    events[i].set();
                }
            };
        };
        w.run({waits, sets(1), waits, [&] { p.set_value(1); }, sets(0), waits});
        EXPECT_EQ(gone, 3);
    });
}

TEST_P(WaitMany, EachIsCompletedOnce) {
    in_each_world([](world& w) {
        std::deque<event> events(things);
        const actor waits = [&] {
            std::set<event*> seen;
            completions<std::deque<event>&> all(events);
            while (all.left() != 0) {
                if (event* const e = all.next_until(w.deadline())) {
                    EXPECT_TRUE(e->is_set());
                    EXPECT_TRUE(seen.insert(e).second);
                }
            }
            EXPECT_EQ(seen.size(), things);
            EXPECT_EQ(all.next(), nullptr);
        };
        const auto sets = [&](std::size_t from) {
            return [&, from] {
                for (std::size_t i = from; i < things; i += 2) {
                    events[i].set();
                    world::pause();
                }
            };
        };
        w.run({waits, sets(0), waits, sets(1)});
    });
}

/// Who gives up must be in nobody's list afterwards, whatever is done at that very moment.
TEST_P(WaitMany, TheFirstIsEnough) {
    in_each_world([](world& w) {
        constexpr int rounds = 5;
        std::atomic<int> got{0};
        std::atomic<event*> shared[2] = {};
        const actor waits = [&] {
            for (int i = 0; i < rounds; ++i) {
                event e[2];
                shared[0] = &e[0];
                shared[1] = &e[1];
                while (!wait_any_until(w.deadline(), e[0], e[1])) {
                }
                ++got;
                for (auto& each : shared) { // taken back, or about to be set
                    while (each != nullptr) {
                        world::pause();
                    }
                }
                join_all(e[0], e[1]); // both setters have let go when this returns
            }
        };
        const auto sets = [&](int which) {
            return [&, which] {
                for (int i = 0; i < rounds; ++i) {
                    while (shared[which] == nullptr) {
                        world::pause();
                    }
                    shared[which].exchange(nullptr)->set();
                }
            };
        };
        w.run({waits, sets(0), sets(1)});
        EXPECT_EQ(got, rounds);
    });
}

TEST_P(WaitMany, FibersOfOtherHubs) {
    in_each_world([](world& w) {
        std::vector<fiber<int>> fibers;
        std::atomic<std::size_t> spawned{0};
        fibers.resize(things);
        const auto makes = [&](std::size_t from) {
            return [&, from] {
                for (std::size_t i = from; i < things; i += 2) {
                    fibers[i] = spawn([i] {
                        world::pause();
                        return static_cast<int>(i);
                    });
                    ++spawned;
                }
                while (spawned != things + 1) { // until all have been collected
                    world::pause();
                }
            };
        };
        int sum = 0;
        const actor collects = [&] {
            while (spawned != things) {
                world::pause();
            }
            while (wait_n_until(w.deadline(), 3, fibers).size() < 3) {
            }
            for (fiber<int>& f : as_completed(fibers)) {
                sum += f.get();
            }
            ++spawned;
        };
        w.run({makes(0), makes(1), collects});
        EXPECT_EQ(sum, 15);
    });
}

/// Cancelled at its first, second, third wait …: what it waited for does not know it any more.
TEST_P(WaitMany, CancelledAnywhere) {
    in_each_world([](world& w) {
        std::deque<event> events(things);
        std::atomic<int> ended{0};
        const actor cancels = [&] {
            const auto waits = [&] {
                for (event* e : {&events[0], &events[1], &events[2]}) {
                    const std::size_t which = wait_any(*e, events[5]);
                    EXPECT_EQ(which, 0u);
                }
                for (event& e : as_completed(events)) {
                    EXPECT_TRUE(e.is_set());
                }
            };
            fiber<void> f = spawn([&] {
                waits();
                ++ended;
            });
            if (!f.join_until(w.deadline())) {
                f.cancel();
            }
            f.join();
            event last;
            EXPECT_FALSE(wait_any_until(at_once, last));
            ++ended;
        };
        const actor sets = [&] {
            for (event& e : events) {
                world::pause();
                e.set();
            }
        };
        w.run({cancels, sets, cancels});
        EXPECT_GE(ended, 2);
    });
}

// -------------------------------------------------------------------------------------- one by one

TEST(WaitAny, KnowsEveryKindOfThing) {
    fake_hub hub;
    event e;
    promise<int> p;
    future<int> f = p.get_future();
    const shared_future<int> s = promise<int>().get_future().share(); // broken, so ready
    fiber<void> sleeps = spawn([&] { hub.sleep(5ms); });
    EXPECT_EQ(wait_any(e, f, sleeps, s), 3u);
    EXPECT_EQ(wait_any(e, f, sleeps), 2u);
    spawn([&] { p.set_value(1); }).detach();
    EXPECT_EQ(wait_any(e, f), 1u);
    spawn([&] { e.set(); }).detach();
    EXPECT_EQ(wait_any(e), 0u);
    EXPECT_EQ(wait_n(2, &e, std::ref(f)), (indices{0, 1}));
}

TEST(WaitAny, TakesRangesOfAllSorts) {
    fake_hub hub;
    std::list<fiber<int>> list;
    std::unique_ptr<event> owned[2] = {std::make_unique<event>(), std::make_unique<event>()};
    list.push_back(spawn([&] {
        hub.sleep(1ms);
        return 1;
    }));
    list.push_back(spawn([&] {
        hub.sleep(2ms);
        owned[1]->set();
        return 2;
    }));
    event last;
    EXPECT_EQ(wait_any(last, owned, list), 3u) << "counted through";
    EXPECT_EQ(wait_n(3, owned, list), (indices{2, 1, 3}));
    EXPECT_EQ(wait_n_for(1ms, 4, owned, list, last), (indices{1, 2, 3}))
        << "what was done before comes in the order of the arguments";
    EXPECT_FALSE(join_all_for(1ms, list, last));
    EXPECT_TRUE(join_all_for(0ms, list));
}

TEST(AsCompleted, IsInThatOrder) {
    fake_hub hub;
    const auto after = [&](int ms) {
        return spawn([&hub, ms] {
            hub.sleep(std::chrono::milliseconds(ms));
            return ms;
        });
    };
    std::vector<fiber<int>> fibers;
    for (const int ms : {3, 1, 2}) {
        fibers.push_back(after(ms));
    }
    std::string order;
    for (fiber<int>& f : as_completed(fibers)) {
        order += std::to_string(f.get());
    }
    EXPECT_EQ(order, "123");
    event e;
    fiber<void> sets = spawn([&] { e.set(); });
    fiber<int> late = after(9);
    for (const std::size_t i : as_completed(late, e, sets)) {
        order += std::to_string(i);
    }
    EXPECT_EQ(order, "123120");
    int sum = 0;
    std::vector<fiber<int>> more;
    more.push_back(after(1));
    more.push_back(after(2));
    for (fiber<int>& f : as_completed(std::move(more))) {
        sum += f.get();
        break; // the other one is still watched
    }
    EXPECT_EQ(sum, 1);
    hub.run();
}

TEST(Gather, ReturnsAllValues) {
    fake_hub hub;
    int i = 7;
    event e(true);
    promise<std::unique_ptr<int>> p;
    future<std::unique_ptr<int>> f = p.get_future();
    p.set_value(std::make_unique<int>(3));
    auto [number, nothing, reference, set, moved] =
        gather(spawn([] { return 1; }), spawn([] {}), spawn([&]() -> int& { return i; }), e, f);
    EXPECT_EQ(number, 1);
    EXPECT_EQ(&reference, &i);
    EXPECT_EQ(*moved, 3);
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    static_assert(std::is_same_v<decltype(set), std::monostate>);
    std::vector<fiber<std::string>> words;
    words.push_back(spawn([] { return std::string("a"); }));
    words.push_back(spawn([] { return std::string("b"); }));
    EXPECT_EQ(gather(words), (std::vector<std::string>{"a", "b"}));
    std::vector<fiber<void>> nothings;
    nothings.push_back(spawn([] { throw std::out_of_range("far"); }));
    EXPECT_THROW(gather(nothings), std::out_of_range);
}

TEST(Gather, WaitsForAllAndThrowsTheFirst) {
    fake_hub hub;
    bool ended = false;
    fiber<int> fails = spawn([&]() -> int {
        hub.sleep(2ms);
        throw std::out_of_range("first");
    });
    EXPECT_THROW(
        gather(fails, spawn([] { throw std::length_error("earlier, but second"); }), spawn([&] {
                   hub.sleep(5ms);
                   ended = true;
               })),
        std::out_of_range);
    EXPECT_TRUE(ended);
}

/// Nobody else could wait for fibers that only gather() knows.
TEST(Gather, GivenUpEndsItsTemporaries) {
    fake_hub hub;
    int unwound = 0;
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
    fiber<void> f = spawn([&] { gather(spawn(waits), spawn(waits)); });
    hub.sleep(1ms);
    f.cancel();
    f.join();
    EXPECT_EQ(unwound, 2);
}

TEST(WaitMany, MisuseIsAnswered) {
    fake_hub hub;
    const auto error_of = [](auto function) {
        try {
            function();
        } catch (const std::system_error& e) {
            return e.code().value();
        }
        return 0;
    };
    EXPECT_EQ(error_of([] { wait_any(std::vector<event*>()); }), EINVAL);
    EXPECT_EQ(error_of([] { wait_n(2, event()); }), EINVAL);
    EXPECT_EQ(error_of([] { join_all(fiber<void>()); }), EINVAL);
    EXPECT_THROW(join_all(future<int>()), std::future_error);
    join_all(std::vector<event*>());
    EXPECT_TRUE(wait_n(0, event()).empty());
    fiber<void> self;
    event never_set;
    self = spawn([&] {
        EXPECT_EQ(error_of([&] { wait_any(never_set, self); }), EDEADLK);
        EXPECT_EQ(error_of([&] { as_completed(never_set, self); }), EDEADLK);
    });
    self.join();
    never_set.set(); // finds nobody
}

TEST(WaitMany, ThingsThatEndWhileAwaited) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            fake_hub hub;
            auto e = std::make_unique<event>();
            spawn([&] { wait_any(*e, *std::make_unique<event>()); }).detach();
            hub->yield();
            e.reset();
        },
        "event 0x[0-9a-f]+ is destroyed while 1 fiber waits for it");
}

/// What one waits for may end as soon as it has been seen, though the setter is still about.
TEST(WaitMany, WhatIsDoneMayEnd) {
    std::atomic<event*> shared{nullptr};
    std::atomic<bool> stop{false};
    std::thread setter([&] {
        while (!stop) {
            if (event* const e = shared.exchange(nullptr)) {
                e->set();
            } else {
                std::this_thread::yield();
            }
        }
    });
    for (int i = 0; i < 1'000; ++i) {
        auto e = std::make_unique<event>();
        shared = e.get();
        while (!wait_any_until(i % 2 == 0 ? at_once : steady_time::max(), *e)) {
            std::this_thread::yield();
        }
    }
    stop = true;
    setter.join();
}

TEST(WaitMany, PlainThreadsWaitToo) {
    fiber<int> f = spawn([] { return 7; });
    event e;
    bool seen = false;
    std::thread plain([&] {
        fiber<int> own = spawn([] { return 1; });
        join_all(f, own, e);
        seen = true;
    });
    f.join();
    e.set();
    plain.join();
    EXPECT_TRUE(seen);
}

constexpr int many = sanitized ? 1'000 : 10'000;

/// The work is the same for each; a quadratic way would take 50,000,000 steps.
TEST(WaitMany, TenThousandAreLinear) {
    fake_hub hub;
    std::vector<fiber<int>> fibers;
    for (int i = 0; i < many; ++i) {
        fibers.push_back(spawn([&hub, i] {
            hub.sleep(std::chrono::microseconds(1 + i * 7919 % many));
            return i;
        }));
    }
    long sum = 0;
    EXPECT_EQ(wait_n(10, fibers).size(), 10u);
    for (fiber<int>& f : as_completed(fibers)) {
        sum += f.get();
    }
    EXPECT_EQ(sum, static_cast<long>(many) * (many - 1) / 2);
    const std::uint64_t before = hub->switches();
    join_all(fibers);
    EXPECT_EQ(hub->switches(), before);
}

} // namespace
} // namespace tendril::detail
