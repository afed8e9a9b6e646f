// SPDX-License-Identifier: BSL-1.0
#include "base/inbox.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tendril::detail {
namespace {

struct item {
    int producer = 0;
    int number = 0;
    item* next = nullptr;
};

std::vector<int> numbers(const item* first) {
    std::vector<int> out;
    for (; first != nullptr; first = first->next) {
        out.push_back(first->number);
    }
    return out;
}

TEST(Inbox, GivesItemsInTheOrderOfTheirArrival) {
    inbox<item> box;
    item items[3] = {{0, 1}, {0, 2}, {0, 3}};
    EXPECT_TRUE(box.empty());
    for (item& i : items) {
        EXPECT_TRUE(box.push(&i));
    }
    EXPECT_FALSE(box.empty());
    EXPECT_EQ(numbers(box.take_all()), (std::vector{1, 2, 3}));
    EXPECT_EQ(box.take_all(), nullptr);
    EXPECT_TRUE(box.empty());
}

TEST(Inbox, RefusesOnceClosedAndGivesWhatWasLeft) {
    inbox<item> box;
    item before{0, 1};
    item after{0, 2};
    EXPECT_TRUE(box.push(&before));
    EXPECT_EQ(numbers(box.close()), std::vector{1});
    EXPECT_FALSE(box.push(&after));
    EXPECT_TRUE(box.empty());
}

TEST(Inbox, LookingIntoAClosedOneLeavesItClosed) {
    inbox<item> box;
    item late{0, 1};
    EXPECT_EQ(box.close(), nullptr);
    EXPECT_EQ(box.take_all(), nullptr);
    EXPECT_FALSE(box.push(&late));
    box.reopen();
    EXPECT_TRUE(box.push(&late));
    EXPECT_EQ(box.take_all(), &late);
}

/// Every item that was accepted is found, in its producer's order, also while the box closes.
TEST(Inbox, LosesNothingBetweenThreads) {
    constexpr int producers = 3;
    constexpr int each = 2'000;
    for (int round = 0; round < 5; ++round) {
        inbox<item> box;
        std::vector<std::vector<item>> items(producers, std::vector<item>(each));
        std::vector<int> accepted(producers, 0);
        std::atomic<int> running{producers};
        std::vector<std::thread> threads;
        for (int p = 0; p < producers; ++p) {
            threads.emplace_back([&, p] {
                for (int n = 0; n < each; ++n) {
                    item& i = items[static_cast<std::size_t>(p)][static_cast<std::size_t>(n)];
                    i = {p, n};
                    if (!box.push(&i)) {
                        break;
                    }
                    ++accepted[static_cast<std::size_t>(p)];
                }
                --running;
            });
        }
        std::vector<int> found(producers, 0);
        const auto count = [&found](const item* i) {
            for (; i != nullptr; i = i->next) {
                EXPECT_EQ(i->number, found[static_cast<std::size_t>(i->producer)]++);
            }
        };
        const int enough = producers * each / 2;
        int total = 0;
        while (running != 0 && (round % 2 == 0 || total < enough)) {
            count(box.take_all());
            total = 0;
            for (const int f : found) {
                total += f;
            }
        }
        count(box.close());
        for (std::thread& t : threads) {
            t.join();
        }
        EXPECT_EQ(box.take_all(), nullptr);
        EXPECT_EQ(found, accepted) << "round " << round;
    }
}

} // namespace
} // namespace tendril::detail
