// SPDX-License-Identifier: BSL-1.0
// Programs whose outcome must not depend on the order in which fibers run, under many orders.
#include "fake_hub.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tendril::detail {
namespace {

using std::chrono::microseconds;

constexpr unsigned seeds = sizeof TENDRIL_TEST_SANITIZE > 1 ? 200 : 1'000;

class random_schedule final : public hub_core::schedule {
public:
    explicit random_schedule(unsigned seed)
        : random_(seed) {}
    std::size_t choose(std::size_t below) noexcept override { return random_() % below; }

private:
    std::mt19937 random_;
};

/// A hub whose order is a function of the seed.
struct random_hub {
    explicit random_hub(unsigned seed)
        : order(seed) {
        hub->set_schedule(&order);
    }
    ~random_hub() {
        hub.run();
        hub->set_schedule(nullptr);
    }

    random_schedule order;
    fake_hub hub;
};

std::string trace_of(unsigned seed) {
    random_hub r(seed);
    std::string trace;
    for (const char name : {'a', 'b', 'c', 'd'}) {
        spawn([&, name] {
            for (int i = 0; i < 4; ++i) {
                trace += name;
                r.hub->yield();
            }
        }).detach();
    }
    r.hub.run();
    return trace;
}

TEST(RandomSchedule, IsAFunctionOfItsSeed) {
    std::vector<std::string> traces;
    for (unsigned seed = 0; seed < 20; ++seed) {
        traces.push_back(trace_of(seed));
        EXPECT_EQ(traces.back(), trace_of(seed));
    }
    std::sort(traces.begin(), traces.end());
    const auto distinct = std::unique(traces.begin(), traces.end()) - traces.begin();
    EXPECT_GE(distinct, 15);
}

/// A list of waiters with permits, as every primitive for waiting has one.
class gate {
public:
    explicit gate(hub_core& hub)
        : hub_(hub) {}

    /// True: a permit came before the deadline.
    bool pass(time_point deadline) {
        if (permits_ != 0) {
            --permits_;
            return true;
        }
        waiter self;
        self.who = hub_.prepare();
        push_waiter(waiters_, self);
        const wake end = hub_.park(self.who, {wait_kind::sync, "gate"}, deadline);
        remove_waiter(waiters_, self);
        return end == wake::ready;
    }

    void open_once() {
        while (waiter* w = pop_waiter(waiters_)) {
            if (hub_core::wake_up(w->who, wake::ready)) {
                return;
            }
        }
        ++permits_;
    }

    int permits() const { return permits_; }
    bool deserted() const { return waiters_ == nullptr; }

private:
    hub_core& hub_;
    waiter* waiters_ = nullptr;
    int permits_ = 0;
};

/// Permits are neither lost nor doubled, whatever the deadlines do.
TEST(RandomSchedule, EveryPermitIsPassedOnOnce) {
    constexpr int fibers = 12;
    for (unsigned seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random_hub r(seed);
        gate g(*r.hub);
        std::mt19937 random(seed);
        int passed = 0;
        int opened = 0;
        for (int i = 0; i < fibers; ++i) {
            spawn([&] {
                for (int n = 0; n < 4; ++n) {
                    const time_point deadline = r.hub->now() + microseconds(random() % 20);
                    passed += g.pass(deadline) ? 1 : 0;
                }
            }).detach();
            spawn([&] {
                for (int n = 0; n < 3; ++n) {
                    r.hub.sleep(microseconds(random() % 20));
                    g.open_once();
                    ++opened;
                }
            }).detach();
        }
        r.hub.run();
        ASSERT_EQ(opened, 3 * fibers);
        ASSERT_EQ(passed + g.permits(), opened);
        ASSERT_TRUE(g.deserted());
        ASSERT_EQ(r.hub->live(), 0u);
    }
}

/// Trees of fibers that spawn, join with and without deadlines, drop and collect.
TEST(RandomSchedule, JoinersGetTheResultOrTheirDeadline) {
    struct tree {
        fake_hub& hub;
        std::mt19937& random;
        int leaves = 0;

        int grow(int depth) {
            if (depth == 0) {
                ++leaves;
                hub->yield();
                return 1;
            }
            fiber<int> left = spawn([this, depth] { return grow(depth - 1); });
            fiber<int> right = spawn([this, depth] { return grow(depth - 1); });
            fiber<bool> watcher = spawn([this, &left] {
                bool there = false;
                for (int tries = 0; !there && tries < 3; ++tries) {
                    const time_point deadline = hub->now() + microseconds(random() % 10);
                    there = left.join_until(deadline);
                    EXPECT_TRUE(!there || left.ready());
                    EXPECT_TRUE(there || hub->now() >= deadline) << "gave up early";
                }
                return there;
            });
            if (random() % 2 == 0) {
                hub.sleep(microseconds(random() % 10));
            }
            const int sum = right.get() + left.get();
            watcher.join();
            return sum;
        }
    };
    for (unsigned seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random_hub r(seed);
        std::mt19937 random(seed);
        tree t{r.hub, random};
        ASSERT_EQ(t.grow(4), 16);
        ASSERT_EQ(t.leaves, 16);
        ASSERT_EQ(r.hub->live(), 0u);
    }
}

/// A wait in three lists at once, with a deadline and wakers for three different reasons.
TEST(RandomSchedule, AWaitEndsForOneReasonOnly) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random_hub r(seed);
        std::mt19937 random(seed);
        waiter* lists[3] = {};
        constexpr wake reasons[3] = {wake::ready, wake::closed, wake::cancelled};
        int ended[8] = {};
        int won[8] = {};
        bool stop = false;
        for (std::size_t i = 0; i < 3; ++i) {
            spawn([&, i] {
                while (!stop) {
                    if (waiter* w = pop_waiter(lists[i])) {
                        won[static_cast<int>(reasons[i])] +=
                            hub_core::wake_up(w->who, reasons[i]) ? 1 : 0;
                    }
                    r.hub.sleep(microseconds(random() % 5));
                }
            }).detach();
        }
        std::vector<fiber<void>> waiting;
        for (int i = 0; i < 6; ++i) {
            waiting.push_back(spawn([&] {
                for (int n = 0; n < 5; ++n) {
                    const ticket t = r.hub->prepare();
                    waiter nodes[3];
                    for (std::size_t l = 0; l < 3; ++l) {
                        nodes[l].who = t;
                        push_waiter(lists[l], nodes[l]);
                    }
                    const time_point deadline = r.hub->now() + microseconds(random() % 10);
                    ++ended[static_cast<int>(r.hub->park(t, {}, deadline))];
                    for (std::size_t l = 0; l < 3; ++l) {
                        remove_waiter(lists[l], nodes[l]);
                    }
                }
            }));
        }
        for (fiber<void>& f : waiting) {
            f.join();
        }
        stop = true;
        r.hub.run();
        int sum = ended[static_cast<int>(wake::timeout)];
        for (const wake reason : reasons) {
            ASSERT_EQ(ended[static_cast<int>(reason)], won[static_cast<int>(reason)]);
            sum += ended[static_cast<int>(reason)];
        }
        ASSERT_EQ(sum, 6 * 5);
        for (const waiter* list : lists) {
            ASSERT_EQ(list, nullptr);
        }
    }
}

} // namespace
} // namespace tendril::detail
