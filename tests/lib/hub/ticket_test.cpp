// SPDX-License-Identifier: BSL-1.0
// The wait protocol by itself: who wins a ticket, and what the losers see.
#include "fake_hub.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tendril::detail {
namespace {

using std::chrono::milliseconds;

constexpr wait_reason why{wait_kind::other, "a test"};

TEST(Ticket, TheFirstWakerWinsAndTheOthersLearnThatTheyLost) {
    fake_hub hub;
    ticket t;
    wake end{};
    auto f = spawn([&] {
        t = hub->prepare();
        end = hub->park(t, why);
    });
    hub->yield();
    ASSERT_NE(t.fiber, nullptr);
    EXPECT_TRUE(hub_core::wake_up(t, wake::closed));
    EXPECT_FALSE(hub_core::wake_up(t, wake::ready));
    EXPECT_FALSE(hub_core::wake_up(t, wake::cancelled));
    f.join();
    EXPECT_EQ(end, wake::closed);
    EXPECT_FALSE(hub_core::wake_up(t, wake::ready)) << "the wait is over";
}

TEST(Ticket, AWakeUpBeforeTheFiberParksIsNotLost) {
    fake_hub hub;
    for (const wake reason : {wake::ready, wake::timeout, wake::closed, wake::cancelled}) {
        const ticket t = hub->prepare();
        EXPECT_TRUE(hub_core::wake_up(t, reason));
        EXPECT_FALSE(hub_core::withdraw(t)) << "it is won";
        EXPECT_EQ(hub->park(t, why), reason);
    }
}

TEST(Ticket, AWithdrawnOneCannotBeWon) {
    fake_hub hub;
    const ticket t = hub->prepare();
    EXPECT_TRUE(hub_core::withdraw(t));
    EXPECT_FALSE(hub_core::wake_up(t, wake::ready));
    EXPECT_FALSE(hub_core::withdraw(t));
    hub->yield();
}

TEST(Ticket, AnOldOneDoesNotEndALaterWait) {
    fake_hub hub;
    const ticket old = hub->prepare();
    EXPECT_TRUE(hub_core::withdraw(old));
    const ticket now = hub->prepare();
    EXPECT_NE(old.value, now.value);
    EXPECT_FALSE(hub_core::wake_up(old, wake::ready));
    EXPECT_TRUE(hub_core::wake_up(now, wake::closed));
    EXPECT_EQ(hub->park(now, why), wake::closed);
}

TEST(Ticket, AnOldOneDoesNotReachTheRecordsNextFiber) {
    fake_hub hub;
    ticket of_the_first;
    spawn([&] {
        of_the_first = hub->prepare();
        EXPECT_TRUE(hub_core::withdraw(of_the_first));
    }).join();
    wake end{};
    ticket of_the_second;
    auto second = spawn([&] {
        of_the_second = hub->prepare();
        end = hub->park(of_the_second, why);
    });
    hub->yield();
    ASSERT_EQ(of_the_first.fiber, of_the_second.fiber) << "the record is reused";
    EXPECT_FALSE(hub_core::wake_up(of_the_first, wake::cancelled));
    EXPECT_TRUE(hub_core::wake_up(of_the_second, wake::ready));
    second.join();
    EXPECT_EQ(end, wake::ready);
}

TEST(Ticket, ADeadlineCompetesLikeAnyWaker) {
    fake_hub hub;
    const time_point deadline = hub->now() + milliseconds(10);
    ticket t = hub->prepare();
    EXPECT_EQ(hub->park(t, why, deadline), wake::timeout);
    EXPECT_GE(hub->now(), deadline);
    EXPECT_FALSE(hub_core::wake_up(t, wake::ready));

    t = hub->prepare();
    EXPECT_TRUE(hub_core::wake_up(t, wake::ready));
    EXPECT_EQ(hub->park(t, why, hub->now() + milliseconds(10)), wake::ready);
    const time_point before = hub->now();
    hub->yield();
    EXPECT_EQ(hub->now(), before) << "its timer is gone, nobody slept for it";
}

TEST(Ticket, InSeveralListsTheFirstListWins) {
    fake_hub hub;
    waiter* lists[3] = {};
    for (std::size_t winner = 0; winner < 3; ++winner) {
        wake end{};
        auto f = spawn([&] {
            const ticket t = hub->prepare();
            waiter nodes[3];
            for (std::size_t i = 0; i < 3; ++i) {
                nodes[i].who = t;
                push_waiter(lists[i], nodes[i]);
            }
            end = hub->park(t, why, hub->now() + milliseconds(5));
            for (std::size_t i = 0; i < 3; ++i) {
                remove_waiter(lists[i], nodes[i]);
            }
        });
        hub->yield();
        EXPECT_TRUE(hub_core::wake_up(pop_waiter(lists[winner])->who, wake::ready));
        for (waiter*& list : lists) {
            if (waiter* w = pop_waiter(list)) {
                EXPECT_FALSE(hub_core::wake_up(w->who, wake::closed));
            }
        }
        f.join();
        EXPECT_EQ(end, wake::ready);
        for (const waiter* list : lists) {
            EXPECT_EQ(list, nullptr);
        }
    }
}

TEST(Ticket, WaitersAreServedInTheOrderTheyCame) {
    fake_hub hub;
    waiter* list = nullptr;
    std::vector<int> order;
    for (int i = 0; i < 5; ++i) {
        spawn([&, i] {
            waiter self;
            self.who = hub->prepare();
            push_waiter(list, self);
            hub->park(self.who, why);
            order.push_back(i);
        }).detach();
    }
    hub->yield();
    while (waiter* w = pop_waiter(list)) {
        hub_core::wake_up(w->who, wake::ready);
    }
    hub.run();
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
}

} // namespace
} // namespace tendril::detail
