// SPDX-License-Identifier: BSL-1.0
// Values of a context: inherited where a fiber is spawned, on any hub, and ended with the last who
// could read them.
#include <tendril/context_value.hpp>
#include <tendril/event.hpp>
#include <tendril/fiber_pool.hpp>
#include <tendril/task_group.hpp>
#include <tendril/timeout.hpp>

#include "hub/fiber_values.hpp"
#include "settings.hpp"

#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace tendril::detail {
namespace {

using namespace std::chrono_literals;

context_value<std::string> word("none");
context_value<int> number;

std::atomic<int> alive{0};

struct counted {
    explicit counted(int v = 0)
        : value(v) {
        ++alive;
    }
    counted(const counted& other)
        : value(other.value) {
        ++alive;
    }
    ~counted() { --alive; }
    int value;
};
context_value<counted> tracked;

TEST(ContextValue, CostsNothingBeforeItIsUsed) {
    // Must come first: afterwards each spawn looks.
    fake_hub hub;
    spawn([] { EXPECT_EQ(*word, "none"); }).join();
    EXPECT_FALSE(context_in_use);
}

TEST(ContextValue, HoldsInItsScopeAndWhatIsSpawnedThere) {
    fake_hub hub;
    EXPECT_EQ(*number, 0);
    EXPECT_FALSE(number.has_value());
    fiber<void> before = spawn([] { EXPECT_FALSE(number.has_value()); });
    fiber<void> within;
    {
        const auto one = number.set(1);
        EXPECT_EQ(*number, 1);
        within = spawn([&] {
            hub.sleep(1ms); // the scope has ended by then
            EXPECT_EQ(*number, 1);
            const context_value<int>::scope two(number, 2);
            const auto also = word.set("inner");
            spawn([] {
                EXPECT_EQ(*number, 2);
                EXPECT_EQ(word->size(), 5u);
            }).join();
        });
        {
            const auto again = number.set(3);
            EXPECT_EQ(number.get(), 3);
        }
        EXPECT_EQ(*number, 1);
    }
    EXPECT_EQ(*number, 0);
    join_all(before, within);
    EXPECT_EQ(*word, "none");
}

TEST(ContextValue, ReachesTasksPoolsAndOtherHubs) {
    std::optional<hub> other;
    event ready;
    event stop;
    std::thread thread([&] {
        EXPECT_EQ(*word, "none") << "threads inherit nothing";
        const auto own = word.set("the thread's");
        other.emplace(hub::current());
        ready.set();
        stop.wait();
        EXPECT_EQ(*word, "the thread's");
    });
    ready.wait();
    {
        const auto as = word.set("request 42");
        const auto reads = [] { return *word; };
        task_group group;
        fiber<std::string> far = group.spawn(*other, {}, reads);
        fiber<std::string> near = group.spawn(reads);
        fiber_pool pool(1);
        EXPECT_EQ(gather(far, near, pool.spawn(reads)),
                  std::make_tuple("request 42", "request 42", "request 42"));
        EXPECT_EQ(pool.map(std::vector<int>{1, 2}, [](int) { return *word; }),
                  (std::vector<std::string>(2, "request 42")));
        group.wait();
    }
    stop.set();
    thread.join();
}

TEST(ContextValue, OfAThreadNeedsNoHub) {
    std::thread([] {
        const auto as = number.set(7);
        EXPECT_EQ(*number, 7);
        EXPECT_EQ(hub_core::current_or_null(), nullptr);
        spawn([] { EXPECT_EQ(*number, 7); }).join();
        EXPECT_EQ(*number, 7) << "lost when the thread got a hub";
    }).join();
}

TEST(ContextValue, EndsWithTheLastWhoCouldReadIt) {
    const int before = alive;
    {
        fake_hub hub;
        event stop;
        fiber<void> keeps;
        {
            const auto as = tracked.set(counted(5));
            keeps = spawn([&] {
                stop.wait();
                EXPECT_EQ(tracked->value, 5);
            });
            spawn([] { ADD_FAILURE() << "began"; }).cancel(); // inherits and never runs
            hub->yield();
        }
        EXPECT_EQ(alive, before + 1);
        stop.set();
        keeps.join();
        EXPECT_EQ(alive, before);
    }
}

class Contexts : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Contexts, every_setting, name_of);

TEST_P(Contexts, AreOfWhatIsDoneWhoeverDoesIt) {
    const int before = alive;
    in_each_world([](world& w) {
        std::atomic<int> next{0};
        const actor one = [&] {
            const int mine = ++next;
            const auto as = number.set(mine);
            const auto kept = tracked.set(counted(mine));
            move_on_at(w.deadline(), [&] {
                task_group group;
                for (int i = 0; i < 3; ++i) {
                    group.spawn([&, mine, i] {
                        EXPECT_EQ(*number, mine);
                        const auto deeper = number.set(mine * 10 + i);
                        world::pause();
                        group.spawn([mine, i] {
                            world::pause();
                            EXPECT_EQ(*number, mine * 10 + i);
                            EXPECT_EQ(tracked->value, mine);
                        });
                        world::pause();
                        EXPECT_EQ(*number, mine * 10 + i);
                    });
                }
                group.wait();
            });
            EXPECT_EQ(*number, mine);
        };
        w.run({one, one, one, one});
    });
    EXPECT_EQ(alive, before);
}

TEST(ContextValueDeathTest, ScopesEndInReverseOrder) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            auto first = std::make_unique<context_value<int>::scope>(number, 1);
            const auto second = number.set(2);
            first.reset();
        },
        "the scope of a context_value ends on another fiber than its own, or before one that was "
        "made later");
}

} // namespace
} // namespace tendril::detail
