// SPDX-License-Identifier: BSL-1.0
#include "base/timer_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace tendril::detail {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

const time_point start = time_point(hours(24 * 365) + nanoseconds(123'456'789));

timer at(time_point deadline) {
    timer t;
    t.deadline = deadline;
    return t;
}

TEST(TimerQueue, EmptyQueueHasNoEvent) {
    timer_queue q(start);
    EXPECT_EQ(q.next_event(), never);
    EXPECT_EQ(q.pop_due(start), nullptr);
    EXPECT_EQ(q.pop_due(start + hours(1'000'000)), nullptr);
    EXPECT_EQ(q.size(), 0u);
}

TEST(TimerQueue, FiresNotBeforeItsDeadline) {
    for (const nanoseconds delay :
         {nanoseconds(1), nanoseconds(1'000), nanoseconds(milliseconds(1)),
          nanoseconds(milliseconds(70)), nanoseconds(seconds(5)), nanoseconds(hours(30)),
          nanoseconds(hours(24 * 4'000))}) {
        timer_queue q(start);
        timer t = at(start + delay);
        q.insert(t);
        EXPECT_TRUE(t.pending());
        EXPECT_EQ(q.next_event(), t.deadline) << "a lone timer is known exactly";
        EXPECT_EQ(q.pop_due(t.deadline - nanoseconds(1)), nullptr);
        EXPECT_EQ(q.next_event(), t.deadline);
        EXPECT_EQ(q.pop_due(t.deadline), &t);
        EXPECT_FALSE(t.pending());
        EXPECT_EQ(q.size(), 0u);
        EXPECT_EQ(q.next_event(), never);
    }
}

TEST(TimerQueue, DeadlineInThePastIsDueAtOnce) {
    timer_queue q(start);
    timer past = at(start - hours(5));
    timer before_the_epoch = at(time_point::min());
    q.insert(past);
    q.insert(before_the_epoch);
    EXPECT_EQ(q.next_event(), time_point::min());
    EXPECT_EQ(q.pop_due(start), &before_the_epoch);
    EXPECT_EQ(q.pop_due(start), &past);
    EXPECT_EQ(q.pop_due(start), nullptr);
}

TEST(TimerQueue, NeverIsPendingAndDoesNotComeDue) {
    timer_queue q(start);
    timer a = at(never);
    timer b = at(never);
    q.insert(a);
    q.insert(b);
    EXPECT_GT(q.next_event(), start + hours(24 * 365 * 100));
    EXPECT_EQ(q.pop_due(start + hours(24 * 365 * 100)), nullptr);
    q.remove(a);
    EXPECT_EQ(q.next_event(), never);
    q.remove(b);
    EXPECT_EQ(q.size(), 0u);
}

TEST(TimerQueue, RemovingAnIdleTimerDoesNothing) {
    timer_queue q(start);
    timer t = at(start);
    q.remove(t);
    q.insert(t);
    q.remove(t);
    q.remove(t);
    EXPECT_EQ(q.size(), 0u);
    EXPECT_EQ(q.pop_due(start), nullptr);
}

TEST(TimerQueue, EqualDeadlinesFireInOrderOfInsertion) {
    for (const nanoseconds delay : {nanoseconds(0), nanoseconds(500), nanoseconds(milliseconds(30)),
                                    nanoseconds(seconds(10)), nanoseconds(hours(7))}) {
        timer_queue q(start);
        const time_point deadline = start + delay;
        std::vector<timer> timers(300, at(deadline));
        std::vector<timer> others(300, at(deadline + nanoseconds(1)));
        for (std::size_t i = 0; i < timers.size(); ++i) {
            q.insert(others[i]);
            q.insert(timers[i]);
            // Time passes between insertions, so that some timers have moved down already.
            EXPECT_EQ(q.pop_due(start + delay * i / (timers.size() + 1) - nanoseconds(1)), nullptr);
        }
        for (std::size_t i = 0; i < timers.size(); i += 3) {
            q.remove(timers[i]);
        }
        for (std::size_t i = 0; i < timers.size(); ++i) {
            if (i % 3 != 0) {
                ASSERT_EQ(q.pop_due(deadline), &timers[i]) << i;
            }
        }
        for (timer& t : others) {
            ASSERT_EQ(q.pop_due(deadline + hours(1)), &t);
        }
        EXPECT_EQ(q.size(), 0u);
    }
}

TEST(TimerQueue, ClearForgetsWithoutTouchingTheTimers) {
    timer_queue q(start);
    {
        std::vector<timer> gone(100, at(start + seconds(1)));
        gone[7].deadline = start;
        for (timer& t : gone) {
            q.insert(t);
        }
        q.clear();
    }
    EXPECT_EQ(q.size(), 0u);
    EXPECT_EQ(q.next_event(), never);
    timer t = at(start + seconds(2));
    q.insert(t);
    EXPECT_EQ(q.pop_due(start + seconds(3)), &t);
}

/// The same operations on the queue and on a multimap, which keeps insertion order of equal keys.
class reference_run {
public:
    explicit reference_run(unsigned seed)
        : random_(seed) {
        for (timer& t : timers_) {
            idle_.push_back(&t);
        }
    }

    void run(int steps) {
        for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
            const std::uint64_t what = pick(100);
            if (what < 50) {
                insert();
            } else if (what < 75) {
                remove();
            } else {
                advance();
            }
            ASSERT_EQ(queue_.size(), reference_.size());
            check_next_event();
        }
        now_ += hours(1'000'000);
        pop_all();
        ASSERT_TRUE(reference_.empty());
    }

private:
    using reference = std::multimap<time_point, timer*>;

    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    /// Anything from nanoseconds to years, half of them round, so that equal ones occur.
    nanoseconds some_delay() {
        const std::uint64_t ns = pick(std::uint64_t{2} << pick(57));
        return nanoseconds(pick(2) == 0 ? ns : std::uint64_t{1} << (63 - __builtin_clzll(ns | 1)));
    }

    void insert() {
        if (idle_.empty()) {
            return;
        }
        timer* t = idle_.back();
        idle_.pop_back();
        t->deadline = pick(10) == 0 ? now_ - some_delay() : now_ + some_delay();
        if (pick(4) == 0 && !reference_.empty()) {
            t->deadline = std::next(reference_.begin(),
                                    static_cast<std::ptrdiff_t>(
                                        pick(std::min<std::size_t>(reference_.size(), 20))))
                              ->first;
        }
        queue_.insert(*t);
        reference_.emplace(t->deadline, t);
    }

    void remove() {
        timer* t = &timers_[pick(timers_.size())];
        if (t->pending()) {
            auto [first, last] = reference_.equal_range(t->deadline);
            reference_.erase(
                std::find_if(first, last, [t](const auto& entry) { return entry.second == t; }));
            idle_.push_back(t);
        }
        queue_.remove(*t);
    }

    void advance() {
        switch (pick(3)) {
        case 0:
            now_ += some_delay() / 4;
            break;
        case 1:
            now_ = std::max(now_, reference_.empty() ? now_ : reference_.begin()->first);
            break;
        default:
            now_ = std::max(now_, std::min(queue_.next_event(), now_ + hours(24 * 365)));
        }
        if (pick(8) == 0) {
            pop_one(); // leaves some due ones in
        } else {
            pop_all();
        }
    }

    bool pop_one() {
        timer* expected = nullptr;
        if (!reference_.empty() && reference_.begin()->first <= now_) {
            expected = reference_.begin()->second;
            reference_.erase(reference_.begin());
            idle_.push_back(expected);
        }
        timer* t = queue_.pop_due(now_);
        EXPECT_EQ(t, expected);
        return t == expected && t != nullptr;
    }

    void pop_all() {
        while (pop_one()) {
        }
        ASSERT_FALSE(testing::Test::HasFailure());
    }

    void check_next_event() {
        if (reference_.empty()) {
            ASSERT_EQ(queue_.next_event(), never);
        } else {
            ASSERT_LE(queue_.next_event(), reference_.begin()->first);
        }
    }

    std::mt19937_64 random_;
    time_point now_ = start;
    timer_queue queue_{start};
    reference reference_;
    std::array<timer, 500> timers_;
    std::vector<timer*> idle_;
};

class TimerQueueAgainstReference : public testing::TestWithParam<unsigned> {};

TEST_P(TimerQueueAgainstReference, SameOrder) {
    reference_run(GetParam()).run(20'000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimerQueueAgainstReference, testing::Range(1u, 21u));

TEST(TimerQueue, NextEventAlwaysGetsOn) {
    // Whoever sleeps until next_event and then asks pop_due reaches every timer in few steps.
    timer_queue q(start);
    std::vector<timer> timers(1'000);
    std::mt19937_64 random(7);
    for (timer& t : timers) {
        t.deadline = start + nanoseconds(random() % (std::uint64_t{1} << 50));
        q.insert(t);
    }
    std::size_t fired = 0;
    int steps = 0;
    for (time_point now = start; q.size() != 0; ++steps) {
        ASSERT_LT(steps, 10'000);
        const time_point next = q.next_event();
        ASSERT_GE(next, steps == 0 ? time_point::min() : now);
        now = next;
        while (q.pop_due(now) != nullptr) {
            ++fired;
        }
    }
    EXPECT_EQ(fired, timers.size());
}

TEST(TimerQueue, AMillionPendingSetAndCancelled) {
    timer_queue q(start);
    std::vector<timer> timers(1'000'000);
    std::mt19937_64 random(42);
    for (timer& t : timers) {
        t.deadline = start + nanoseconds(random() % nanoseconds(seconds(60)).count());
        q.insert(t);
    }
    EXPECT_EQ(q.size(), timers.size());
    const auto earliest =
        std::min_element(timers.begin(), timers.end(),
                         [](const timer& a, const timer& b) { return a.deadline < b.deadline; });
    EXPECT_LE(q.next_event(), earliest->deadline);
    EXPECT_EQ(q.pop_due(earliest->deadline), &*earliest);
    time_point last = start;
    for (std::size_t i = 0; i < 200'000; ++i) {
        timer* t = q.pop_due(start + hours(1));
        ASSERT_NE(t, nullptr);
        ASSERT_GE(t->deadline, last);
        last = t->deadline;
    }
    for (timer& t : timers) {
        q.remove(t);
    }
    EXPECT_EQ(q.size(), 0u);
    EXPECT_EQ(q.next_event(), never);
    EXPECT_EQ(q.pop_due(start + hours(1)), nullptr);
}

} // namespace
} // namespace tendril::detail
