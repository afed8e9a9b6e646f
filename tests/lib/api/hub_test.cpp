// SPDX-License-Identifier: BSL-1.0
// The public side of hubs: statistics, drain, spawning on another thread's.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "support/error_of.hpp"

#include "hub/hub_core.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::fiber;
using tendril::hub;
using tendril::spawn;
using tendril_test::error_of;

/// A thread that serves its hub until this ends.
class hub_thread {
public:
    hub_thread()
        : thread_([this] {
            auto last = spawn([this] {
                while (!stop_) {
                    tendril::this_fiber::sleep_for(200us);
                }
            });
            {
                const std::lock_guard lock(mutex_);
                hub_ = hub::current();
                id_ = std::this_thread::get_id();
            }
            changed_.notify_one();
            last.join();
        }) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return hub_.has_value(); });
    }
    ~hub_thread() { stop(); }

    void stop() {
        stop_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    const hub& operator*() const { return *hub_; }
    std::thread::id id() const { return id_; }

private:
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<hub> hub_;
    std::thread::id id_;
    std::thread thread_;
};

TEST(Hub, CurrentIsTheThreadsOwn) {
    const hub mine = hub::current();
    EXPECT_EQ(mine, hub::current());
    EXPECT_FALSE(mine.ended());
    spawn([&] { EXPECT_EQ(hub::current(), mine); }).join();
    const hub_thread other;
    EXPECT_NE(*other, mine);
}

TEST(Hub, StatisticsCount) {
    const auto before = hub::current().statistics();
    auto sleeper = spawn([] { tendril::this_fiber::sleep_for(1ms); });
    auto other = spawn([] { tendril::this_fiber::yield(); });
    auto after = hub::current().statistics();
    EXPECT_EQ(after.spawned - before.spawned, 2u);
    EXPECT_EQ(after.live - before.live, 2u);
    sleeper.join();
    other.join();
    after = hub::current().statistics();
    EXPECT_EQ(after.finished - before.finished, 2u);
    EXPECT_EQ(after.live, before.live);
    EXPECT_EQ(after.waits.sleep - before.waits.sleep, 1u);
    EXPECT_GE(after.waits.join - before.waits.join, 1u);
    EXPECT_GE(after.switches - before.switches, 5u);
    EXPECT_GE(after.sleeps - before.sleeps, 1u);
    EXPECT_GE(after.polls, after.sleeps);
    EXPECT_EQ(after.stacks_in_use, 0u);
    EXPECT_GE(after.stacks_pooled, 1u);
}

TEST(Hub, DrainWaitsForAll) {
    int ended = 0;
    for (int i = 0; i < 100; ++i) {
        spawn([&ended, i] {
            tendril::this_fiber::sleep_for(std::chrono::microseconds(i * 10));
            ++ended;
        }).detach();
    }
    hub::current().drain();
    EXPECT_EQ(ended, 100);
}

TEST(Hub, OfAnotherThreadMayNotBeDrainedOrRead) {
    const hub_thread other;
    hub theirs = *other;
    EXPECT_EQ(error_of([&] { theirs.drain(); }), EPERM);
    EXPECT_EQ(error_of([&] { theirs.statistics(); }), EPERM);
}

TEST(Hub, FibersAreSpawnedOnAChosenOne) {
    const hub_thread other;
    auto f = spawn(*other, {"guest"}, [] {
        EXPECT_EQ(tendril::this_fiber::name(), "guest");
        tendril::this_fiber::sleep_for(1ms);
        return std::this_thread::get_id();
    });
    EXPECT_EQ(f.get(), other.id());
    auto local = spawn(hub::current(), {}, [] { return std::this_thread::get_id(); });
    EXPECT_EQ(local.get(), std::this_thread::get_id());
    auto fails = spawn(*other, {}, [] { throw 4; });
    EXPECT_THROW(fails.get(), int);
}

TEST(Hub, AThreadThatOnlySpawnsElsewhereGetsNoHub) {
    const hub_thread server;
    std::uint64_t ids[2] = {};
    fiber<void> fibers[2];
    std::thread([&] {
        for (int i = 0; i < 2; ++i) {
            fibers[i] = spawn(*server, {}, [] {});
            ids[i] = fibers[i].id();
        }
        EXPECT_EQ(tendril::detail::hub_core::current_or_null(), nullptr);
    }).join();
    EXPECT_NE(ids[0], ids[1]);
    for (auto& f : fibers) {
        f.get();
    }
}

TEST(Hub, ASleepingHubIsWokenByASpawnAndByAnEnd) {
    bool stop = false;
    auto until_stopped = spawn([&] {
        while (!stop) {
            tendril::this_fiber::sleep_for(200us);
        }
    });
    std::optional<hub> theirs;
    std::atomic<bool> ready{false};
    std::thread thread([&] {
        theirs = hub::current();
        ready = true;
        until_stopped.join(); // has nothing else to wait for, not even a timer
    });
    while (!ready) {
        tendril::this_fiber::sleep_for(100us);
    }
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(spawn(*theirs, {}, [i] { return i; }).get(), i);
    }
    stop = true;
    until_stopped.join();
    thread.join();
}

TEST(Hub, AnEndedOneTakesNoFibers) {
    hub_thread other;
    const hub theirs = *other;
    other.stop();
    EXPECT_TRUE(theirs.ended());
    EXPECT_EQ(error_of([&] { spawn(theirs, {}, [] {}); }), ESRCH);
    const hub_thread next; // takes over the hub, and is another
    EXPECT_TRUE(theirs.ended());
    EXPECT_NE(theirs, *next);
    EXPECT_EQ(error_of([&] { spawn(theirs, {}, [] {}); }), ESRCH);
    EXPECT_EQ(spawn(*next, {}, [] { return 1; }).get(), 1);
}

/// Hubs that send fibers to each other while some of them end.
TEST(Hub, FibersTravelBetweenHubs) {
    constexpr int messages = 300;
    std::atomic<int> arrived{0};
    {
        const hub_thread first;
        const hub_thread second;
        std::vector<fiber<void>> sent;
        for (int i = 0; i < messages; ++i) {
            sent.push_back(spawn(*first, {}, [&] {
                auto there = spawn(*second, {}, [&] {
                    tendril::this_fiber::yield();
                    ++arrived;
                });
                there.join();
                ++arrived;
            }));
        }
        for (auto& f : sent) {
            f.get();
        }
    }
    EXPECT_EQ(arrived, 2 * messages);
}

} // namespace
