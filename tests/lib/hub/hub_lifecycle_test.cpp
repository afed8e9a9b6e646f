// SPDX-License-Identifier: BSL-1.0
// How a thread comes to a hub and leaves it, with fibers and other threads' wake-ups under way.
#include <tendril/hub.hpp>

#include "fake_hub.hpp"
#include "support/leaks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace tendril::detail {

struct hub_test_access {
    static void make_ready(hub_core& hub, fiber_record& r) { hub.make_ready(r); }
};

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr wait_reason why{wait_kind::other, "a test"};
constexpr auto at_once = time_point::min();

template <typename T>
int error_of(fiber<T>& f) {
    try {
        f.get();
    } catch (const std::system_error& e) {
        return e.code().value();
    }
    return 0;
}

TEST(HubLifecycle, ALeavingThreadRunsItsFibersToTheirEndFirst) {
    fake_hub hub;
    auto f = spawn([&] {
        hub.sleep(milliseconds(50));
        return 5;
    });
    EXPECT_EQ(hub->detach_thread(hub->now() + milliseconds(100)), 0u);
    EXPECT_EQ(f.get(), 5);
}

TEST(HubLifecycle, FibersThatOutlastTheGraceAreAbandonedAndTheirJoinersTold) {
    const lost_on_purpose lost;
    fake_hub hub;
    const time_point start = hub->now();
    auto parked = spawn([&] { hub->park(hub->prepare(), why); });
    auto asleep = spawn([&] { hub.sleep(hours(1)); });
    auto joiner = spawn([&] { parked.join(); });
    hub->yield();
    auto unstarted = spawn([] {});
    EXPECT_EQ(hub->detach_thread(at_once), 4u);
    EXPECT_EQ(hub->now(), start);
    for (auto* f : {&parked, &asleep, &joiner, &unstarted}) {
        ASSERT_TRUE(f->ready());
        EXPECT_EQ(error_of(*f), ECANCELED);
    }
    EXPECT_EQ(hub->live(), 0u);
}

TEST(HubLifecycle, TheGraceEndsInTime) {
    const lost_on_purpose lost;
    fake_hub hub;
    const time_point give_up = hub->now() + milliseconds(20);
    auto f = spawn([&] { hub.sleep(hours(1)); });
    EXPECT_EQ(hub->detach_thread(give_up), 1u);
    EXPECT_EQ(hub->now(), give_up);
}

TEST(HubLifecycle, FibersAreCancelledBeforeTheyAreAbandoned) {
    const lost_on_purpose lost;
    fake_hub hub;
    const time_point start = hub->now();
    time_point at;
    auto obeys = spawn([&] {
        at = hub->park(hub->prepare(), why) == wake::cancelled ? hub->now() : start;
        hub->throw_if_given_up();
    });
    auto deaf = spawn([&] {
        hub->park(hub->prepare(), {wait_kind::other, "test", -1, nullptr, false});
    });
    hub->yield();
    EXPECT_EQ(hub->detach_thread(start + milliseconds(32), start + milliseconds(16)), 1u);
    EXPECT_EQ(at, start + milliseconds(16));
    EXPECT_EQ(hub->now(), start + milliseconds(32));
    EXPECT_EQ(error_of(obeys), ECANCELED);
    EXPECT_EQ(error_of(deaf), ECANCELED);
}

TEST(HubLifecycle, FibersSpawnedByThoseThatEndAreCancelledToo) {
    fake_hub hub;
    const time_point start = hub->now();
    int generations = 0;
    std::function<void()> respawn = [&] {
        EXPECT_EQ(hub->park(hub->prepare(), why), wake::cancelled);
        if (++generations < 3) {
            spawn(respawn).detach();
        }
        hub->throw_if_given_up();
    };
    spawn(respawn).detach();
    EXPECT_EQ(hub->detach_thread(start + milliseconds(32), start + milliseconds(16)), 0u);
    EXPECT_EQ(generations, 3);
    EXPECT_LT(hub->now(), start + milliseconds(32));
}

TEST(HubLifecycle, WhatAnAbandonedFiberOwnsStaysAlive) {
    const lost_on_purpose lost;
    const auto owned = std::make_shared<int>(1);
    const auto never_used = std::make_shared<int>(1);
    fake_hub hub;
    spawn([&hub, owned] { hub->park(hub->prepare(), why); }).detach();
    hub->yield();
    spawn([never_used] {}).detach();
    EXPECT_EQ(owned.use_count(), 2);
    testing::internal::CaptureStderr(); // the one that never ran says so
    EXPECT_EQ(hub->detach_thread(at_once), 2u);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("nobody collected"));
    EXPECT_EQ(owned.use_count(), 2) << "its frames may be pointed at";
    EXPECT_EQ(never_used.use_count(), 1);
}

TEST(HubLifecycle, TicketsOfAbandonedFibersAreVoidForTheNextOwnerToo) {
    const lost_on_purpose lost;
    fake_hub hub;
    ticket old;
    spawn([&] {
        old = hub->prepare();
        hub->park(old, why, hub->now() + milliseconds(1));
    }).detach();
    hub->yield();
    EXPECT_EQ(hub->detach_thread(at_once), 1u);
    EXPECT_FALSE(hub_core::wake_up(old, wake::ready));

    hub->attach_thread();
    ticket fresh;
    auto second = spawn([&] {
        fresh = hub->prepare();
        return hub->park(fresh, why, hub->now() + hours(1)); // the record has one timer for all
    });
    hub->yield();
    EXPECT_FALSE(hub_core::wake_up(old, wake::ready));
    hub.sleep(milliseconds(10)); // the old deadline passes
    EXPECT_FALSE(second.ready());
    EXPECT_TRUE(hub_core::wake_up(fresh, wake::ready));
    EXPECT_EQ(second.get(), wake::ready);
}

/// What drain() keeps on the stacks of abandoned fibers must not outlive them.
TEST(HubLifecycle, AbandonedDrainersDoNotConfuseTheNextOwner) {
    const lost_on_purpose lost;
    fake_hub hub;
    spawn([&] { hub->drain(); }).detach();
    spawn([&] { hub->drain(); }).detach();
    spawn([&] { hub->park(hub->prepare(), why); }).detach();
    hub->yield();
    EXPECT_EQ(hub->detach_thread(at_once), 3u);

    hub->attach_thread();
    int ended = 0;
    spawn([&] {
        hub.sleep(milliseconds(1));
        ++ended;
    }).detach();
    hub->drain();
    EXPECT_EQ(ended, 1);
}

TEST(HubLifecycle, AFunctionThatNeverRanMaySpawnInItsDestructor) {
    struct spawns_at_its_end {
        bool armed = true;
        spawns_at_its_end() = default;
        spawns_at_its_end(spawns_at_its_end&& other) noexcept
            : armed(std::exchange(other.armed, false)) {}
        ~spawns_at_its_end() {
            if (armed) {
                spawn([] { ADD_FAILURE() << "the hub has ended"; }).detach();
            }
        }
        void operator()() const {}
    };
    fake_hub hub;
    spawn(spawns_at_its_end()).detach();
    testing::internal::CaptureStderr();
    EXPECT_EQ(hub->detach_thread(at_once), 1u);
    testing::internal::GetCapturedStderr();
    EXPECT_EQ(hub->live(), 0u);
    hub->attach_thread();
    hub->drain();
}

/// The push comes when the hub is neither asleep nor about to look; it must look before it sleeps.
TEST(HubLifecycle, AWakeUpFromAThreadIsSeenByAHubThatThenSleeps) {
    fake_hub hub;
    for (int i = 0; i < 10; ++i) {
        ticket t;
        auto f = spawn([&] {
            t = hub->prepare();
            return hub->park(t, why);
        });
        hub->yield();
        std::thread([&] { EXPECT_TRUE(hub_core::wake_up(t, wake::closed)); }).join();
        EXPECT_EQ(f.get(), wake::closed); // nothing else could end this wait
        EXPECT_EQ(hub->counters().remote_wakes, static_cast<std::uint64_t>(i) + 1);
    }
}

TEST(HubLifecycle, DrainWaitsForWhatIsSpawnedMeanwhile) {
    fake_hub hub;
    int ended = 0;
    spawn([&] {
        hub.sleep(milliseconds(1));
        spawn([&] {
            hub.sleep(milliseconds(1));
            ++ended;
        }).detach();
        ++ended;
    }).detach();
    hub->drain();
    EXPECT_EQ(ended, 2);
    hub->drain(); // nothing to wait for
}

TEST(HubLifecycle, FibersThatDrainDoNotWaitForEachOtherButMainWaitsForAll) {
    fake_hub hub;
    int drained = 0;
    int ended = 0;
    for (int i = 0; i < 3; ++i) {
        spawn([&] {
            hub->drain();
            ++drained;
            hub->yield();
            ++ended;
        }).detach();
    }
    spawn([&] { hub.sleep(milliseconds(1)); }).detach();
    hub->drain();
    EXPECT_EQ(drained, 3);
    EXPECT_EQ(ended, 3);
}

TEST(HubLifecycle, SpawningOnAHubThatEndedIsRefused) {
    fake_hub hub;
    const tendril::hub handle = tendril::hub::current();
    EXPECT_FALSE(handle.ended());
    hub->detach_thread(at_once);
    EXPECT_TRUE(handle.ended());
    std::thread([&] {
        fake_hub own;
        try {
            spawn(handle, {}, [] {});
            ADD_FAILURE() << "it was taken";
        } catch (const std::system_error& e) {
            EXPECT_EQ(e.code().value(), ESRCH);
        }
    }).join();
    hub->attach_thread();
    EXPECT_TRUE(handle.ended()) << "the hub's next use is another";
    EXPECT_NE(tendril::hub::current(), handle);
    EXPECT_THROW(spawn(handle, {}, [] {}), std::system_error);
}

/// Taken by the hub's inbox, and the hub ends before it looks there.
TEST(HubLifecycle, AFiberSentToAHubThatThenEndsIsNotLost) {
    fake_hub hub;
    const tendril::hub handle = tendril::hub::current();
    fiber<void> sent;
    std::thread([&] {
        fake_hub own;
        sent = spawn(handle, {}, [] { ADD_FAILURE() << "the hub has ended"; });
    }).join();
    hub->detach_thread(at_once);
    ASSERT_TRUE(sent.ready());
    EXPECT_EQ(error_of(sent), ESRCH);
}

/// Another thread has won a ticket and not queued the fiber yet. It must not arrive later, at the
/// hub's next owner.
TEST(HubLifecycle, ALeavingThreadAwaitsWakeUpsThatAreUnderWay) {
    const lost_on_purpose lost;
    fake_hub hub;
    const tendril::hub handle = tendril::hub::current();
    ticket t;
    auto f = spawn([&] {
        t = hub->prepare();
        hub->park(t, why);
    });
    hub->yield();
    std::atomic<bool> won{false};
    std::atomic<bool> queued{false};
    std::thread waker([&] {
        std::uint64_t expected = t.value;
        const std::uint64_t ready = (t.value & ~ticket_state_mask) | 2;
        EXPECT_TRUE(t.fiber->word.compare_exchange_strong(expected, ready));
        won = true;
        while (!handle.ended()) {
            std::this_thread::yield();
        }
        for (int i = 0; i < 1'000; ++i) { // time for a mistake
            std::this_thread::yield();
        }
        queued = true;
        hub_test_access::make_ready(*hub, *t.fiber);
    });
    while (!won) {
        std::this_thread::yield();
    }
    EXPECT_EQ(hub->detach_thread(at_once), 1u);
    EXPECT_TRUE(queued);
    waker.join();
    EXPECT_EQ(error_of(f), ECANCELED);
}

/// Threads wake fibers, and send new ones, while the thread of the hub leaves and comes back.
TEST(HubLifecycle, LateWakersAndSpawnersMeetNobody) {
    constexpr int rounds = sizeof TENDRIL_TEST_SANITIZE > 1 ? 60 : 1'000;
    constexpr std::size_t fibers = 4;
    const lost_on_purpose lost;
    fake_hub hub;
    std::mutex mutex;
    std::vector<ticket> tickets;
    tendril::hub target = tendril::hub::current();
    std::vector<fiber<void>> sent;
    std::atomic<bool> stop{false};
    std::atomic<int> won{0};
    std::atomic<int> ran{0};
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i) {
        others.emplace_back([&] {
            fake_hub own;
            while (!stop) {
                std::vector<ticket> mine;
                tendril::hub on = target;
                {
                    const std::lock_guard lock(mutex);
                    mine = tickets;
                    on = target;
                }
                for (const ticket& t : mine) {
                    won += hub_core::wake_up(t, wake::ready) ? 1 : 0;
                }
                try {
                    auto f = spawn(on, {}, [&ran] { ++ran; });
                    const std::lock_guard lock(mutex);
                    if (sent.size() < 500) {
                        sent.push_back(std::move(f));
                    } else {
                        f.detach();
                    }
                } catch (const std::system_error& e) {
                    EXPECT_EQ(e.code().value(), ESRCH);
                }
                std::this_thread::yield();
            }
        });
    }
    testing::internal::CaptureStderr(); // fibers that were sent in vain
    std::size_t woken = 0;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < fibers; ++i) {
            spawn([&] {
                const ticket t = hub->prepare();
                {
                    const std::lock_guard lock(mutex);
                    tickets.push_back(t);
                }
                EXPECT_EQ(hub->park(t, why), wake::ready);
                ++woken;
            }).detach();
        }
        for (int i = 0; i < round % 3; ++i) {
            hub->yield();
        }
        hub->detach_thread(at_once);
        hub->attach_thread();
        const std::lock_guard lock(mutex);
        target = tendril::hub::current();
        tickets.resize(tickets.size() / 2); // some are still tried when long void
    }
    stop = true;
    for (std::thread& t : others) {
        t.join();
    }
    hub->detach_thread(at_once);
    testing::internal::GetCapturedStderr();
    EXPECT_LE(static_cast<int>(woken), won);
    for (const fiber<void>& f : sent) {
        EXPECT_TRUE(f.ready());
    }
}

} // namespace
} // namespace tendril::detail
