// SPDX-License-Identifier: BSL-1.0
// Semaphores, events, condition variables, latches, barriers: no permit and no wake-up is lost or
// doubled, whatever the order and whichever wait is cut short.
#include <tendril/barrier.hpp>
#include <tendril/condition_variable.hpp>
#include <tendril/event.hpp>
#include <tendril/latch.hpp>
#include <tendril/mutex.hpp>
#include <tendril/semaphore.hpp>

#include "settings.hpp"

#include <deque>
#include <mutex>

namespace tendril::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Waits : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Waits, every_setting, name_of);

constexpr int actors = 6;
constexpr int rounds = 5;

TEST_P(Waits, AsManyAsThereArePermits) {
    in_each_world([](world& w) {
        counting_semaphore<> permits(2);
        std::atomic<int> inside{0};
        const actor one = [&] {
            for (int i = 0; i < rounds; ++i) {
                if (permits.try_acquire_until(w.deadline())) {
                    EXPECT_LE(++inside, 2);
                    world::pause();
                    --inside;
                    permits.release();
                }
            }
        };
        w.run(std::vector<actor>(actors, one));
        EXPECT_TRUE(permits.try_acquire());
        EXPECT_TRUE(permits.try_acquire());
        EXPECT_FALSE(permits.try_acquire());
    });
}

TEST_P(Waits, EveryPermitArrives) {
    in_each_world([](world& w) {
        counting_semaphore<> permits(0);
        std::atomic<int> got{0};
        const actor taker = [&] {
            for (int i = 0; i < rounds;) {
                if (permits.try_acquire_until(w.deadline())) {
                    ++got;
                    ++i;
                }
            }
        };
        const actor giver = [&] {
            for (int left = rounds * 2; left != 0;) {
                const int some = left > 2 ? 3 : left;
                permits.release(some);
                left -= some;
                world::pause();
            }
        };
        w.run({taker, taker, giver, taker, taker, giver});
        EXPECT_EQ(got, rounds * 4);
        EXPECT_FALSE(permits.try_acquire());
    });
}

TEST_P(Waits, AnEventLetsAllGo) {
    in_each_world([](world& w) {
        event happened;
        int written = 0; // before, and read after
        std::atomic<int> gone{0};
        const actor waits = [&] {
            while (!happened.wait_until(w.deadline())) {
            }
            EXPECT_EQ(written, 7);
            ++gone;
        };
        const actor sets = [&] {
            world::pause();
            written = 7;
            happened.set();
        };
        w.run({waits, waits, sets, waits, waits});
        EXPECT_EQ(gone, 4);
        EXPECT_TRUE(happened.is_set());
    });
}

/// Two that wait for each other's events, which are cleared again and again.
TEST_P(Waits, EventsAreSetAndCleared) {
    in_each_world([](world& w) {
        event ping;
        event pong;
        int turns = 0;
        const auto side = [&](event& mine, event& theirs) {
            return [&] {
                for (int i = 0; i < rounds; ++i) {
                    while (!mine.wait_until(w.deadline())) {
                    }
                    mine.clear();
                    ++turns;
                    theirs.set();
                }
            };
        };
        ping.set();
        w.run({side(ping, pong), side(pong, ping)});
        EXPECT_EQ(turns, 2 * rounds);
        EXPECT_TRUE(ping.is_set());
        EXPECT_FALSE(pong.is_set());
    });
}

template <typename Mutex, typename Condition>
void bounded_buffer(world& w) {
    constexpr std::size_t room = 2;
    Mutex m;
    Condition not_empty;
    Condition not_full;
    std::deque<int> buffer;
    int sum = 0;
    const actor producer = [&] {
        for (int i = 1; i <= rounds; ++i) {
            std::unique_lock lock(m);
            while (!not_full.wait_until(lock, w.deadline(), [&] { return buffer.size() < room; })) {
            }
            buffer.push_back(i);
            not_empty.notify_one();
        }
    };
    const actor consumer = [&] {
        for (int i = 0; i < rounds; ++i) {
            std::unique_lock lock(m);
            while (!not_empty.wait_until(lock, w.deadline(), [&] { return !buffer.empty(); })) {
            }
            sum += buffer.front();
            buffer.pop_front();
            lock.unlock();
            not_full.notify_one();
        }
    };
    w.run({producer, consumer, consumer, producer, producer, consumer});
    EXPECT_EQ(sum, 3 * rounds * (rounds + 1) / 2);
    EXPECT_TRUE(buffer.empty());
}

TEST_P(Waits, ConditionsAreMet) {
    in_each_world(bounded_buffer<mutex, condition_variable>);
    in_each_world(bounded_buffer<mutex, condition_variable_any>);
    in_each_world(bounded_buffer<recursive_mutex, condition_variable_any>);
}

/// Once all are notified, the condition variable may be destroyed, though some have not returned.
TEST_P(Waits, ANotifiedConditionVariableMayGo) {
    in_each_world([](world& w) {
        mutex m;
        auto condition = std::make_unique<condition_variable>();
        bool ready = false;
        int waiting = 0;
        const actor waits = [&] {
            std::unique_lock lock(m);
            ++waiting;
            while (!ready) {
                condition->wait_until(lock, w.deadline());
            }
        };
        const actor destroys = [&] {
            for (;;) {
                world::pause();
                const std::lock_guard lock(m);
                if (waiting == 3) {
                    ready = true;
                    condition->notify_all();
                    condition.reset();
                    return;
                }
            }
        };
        w.run({waits, destroys, waits, waits});
    });
}

TEST_P(Waits, ALatchOpensWhenAllHaveArrived) {
    in_each_world([](world& w) {
        latch all(actors);
        std::atomic<int> arrived{0};
        const actor one = [&] {
            world::pause();
            ++arrived;
            all.count_down();
            while (!all.wait_until(w.deadline())) {
            }
            EXPECT_EQ(arrived, actors);
        };
        w.run(std::vector<actor>(actors, one));
        EXPECT_TRUE(all.try_wait());
    });
}

TEST_P(Waits, ABarrierKeepsThePhasesApart) {
    in_each_world([](world& w) {
        std::atomic<int> arrived{0};
        int phases = 0; // the barrier orders its uses
        const auto next = [&]() noexcept {
            EXPECT_EQ(arrived.exchange(0), actors - phases / 2);
            ++phases;
        };
        barrier meet(actors, next);
        std::vector<actor> all;
        for (int i = 0; i < actors; ++i) {
            all.emplace_back([&, i] { // one leaves after every second phase
                for (int phase = 0; phase < 2 * i + 1; ++phase) {
                    EXPECT_EQ(phases, phase);
                    ++arrived;
                    meet.arrive_and_wait();
                }
                ++arrived;
                meet.arrive_and_drop();
            });
        }
        w.run(all);
        EXPECT_EQ(phases, 2 * actors);
    });
}

/// Whoever sees the result may destroy the object at once: nothing of it is touched any more.
TEST_P(Waits, WhatHasEndedMayBeDestroyed) {
    in_each_world([](world& w) {
        const auto pair = [&w](auto object, auto wait, auto signal) {
            using type = typename decltype(object)::element_type;
            std::atomic<type*> shared{object.release()};
            w.run({[&] {
                       type* const mine = shared;
                       wait(*mine);
                       delete mine;
                   },
                   [&] { signal(*shared); }});
        };
        for (int i = 0; i < rounds; ++i) {
            pair(
                std::make_unique<event>(), [](event& e) { e.wait(); }, [](event& e) { e.set(); });
            pair(
                std::make_unique<binary_semaphore>(0), [](binary_semaphore& s) { s.acquire(); },
                [](binary_semaphore& s) { s.release(); });
            pair(
                std::make_unique<latch>(1), [](latch& l) { l.wait(); },
                [](latch& l) { l.count_down(); });
        }
    });
}

// --------------------------------------------------------------------------------- on one hub

/// Fibers wait one after the other; `give` lets the first go.
template <typename Wait, typename Give>
std::string order_of(Wait wait, Give give) {
    fake_hub hub;
    std::string order;
    for (char name = 'a'; name <= 'e'; ++name) {
        spawn([&order, &wait, name] {
            wait();
            order += name;
        }).detach();
    }
    hub->yield();
    for (int i = 0; i < 5; ++i) {
        give();
    }
    hub.run();
    return order;
}

TEST(Order, FirstComeFirstServed) {
    counting_semaphore<> permits(0);
    EXPECT_EQ(order_of([&] { permits.acquire(); }, [&] { permits.release(); }), "abcde");
    mutex m;
    condition_variable condition;
    EXPECT_EQ(order_of(
                  [&] {
                      std::unique_lock lock(m);
                      condition.wait(lock);
                  },
                  [&] { condition.notify_one(); }),
              "abcde");
    event e;
    EXPECT_EQ(order_of([&] { e.wait(); }, [&] { e.set(); }), "abcde");
    latch l(5);
    EXPECT_EQ(order_of([&] { l.wait(); }, [&] { l.count_down(); }), "abcde");
}

TEST(Event, SetAndClearedAtOnceStillWakes) {
    fake_hub hub;
    event e;
    bool woken = false;
    spawn([&] { woken = e.wait_until(hub->now() + seconds(1)); }).detach();
    hub->yield();
    e.set();
    e.clear();
    hub.run();
    EXPECT_TRUE(woken);
    EXPECT_FALSE(e.is_set());
}

TEST(SyncWaits, ADeadlineEndsThem) {
    fake_hub hub;
    counting_semaphore<> permits(0);
    event e;
    latch l(1);
    mutex m;
    condition_variable condition;
    condition_variable_any any;
    const time_point at = hub->now() + milliseconds(5);
    spawn([&] { EXPECT_FALSE(permits.try_acquire_until(at)); }).detach();
    spawn([&] { EXPECT_FALSE(e.wait_until(at)); }).detach();
    spawn([&] { EXPECT_FALSE(l.wait_until(at)); }).detach();
    spawn([&] {
        std::unique_lock lock(m);
        EXPECT_EQ(condition.wait_until(lock, at), cv_status::timeout);
        EXPECT_TRUE(lock.owns_lock());
        EXPECT_FALSE(any.wait_until(lock, at + milliseconds(1), [] { return false; }));
    }).detach();
    hub.run();
    EXPECT_EQ(hub->now(), at + milliseconds(1));
    permits.release();
    EXPECT_TRUE(permits.try_acquire()) << "given to one who had left";
}

/// A thread that never waits gets no hub, and makes no system call.
TEST(SyncWaits, WithoutWaitingNoHubIsNeeded) {
    std::thread([] {
        mutex m;
        recursive_mutex r;
        counting_semaphore<> permits(1);
        event e(true);
        latch l(1);
        barrier<> b(1);
        condition_variable condition;
        const std::scoped_lock all(m, r);
        permits.acquire();
        permits.release();
        e.wait();
        l.arrive_and_wait();
        b.arrive_and_wait();
        condition.notify_all();
        EXPECT_EQ(hub_core::current_or_null(), nullptr);
    }).join();
}

/// A thread's lock stays its own when the thread gets a hub meanwhile.
TEST(SyncWaits, GettingAHubKeepsWhatOneHolds) {
    std::thread([] {
        mutex m;
        m.lock();
        spawn([&] {
            EXPECT_FALSE(m.try_lock());
            EXPECT_THROW(m.unlock(), std::system_error);
        }).join();
        EXPECT_NO_THROW(m.unlock());
    }).join();
}

} // namespace
} // namespace tendril::detail
