// SPDX-License-Identifier: BSL-1.0
// Several hubs and plain threads race for the same tickets, against deadlines and against threads
// that end. Worth most under ThreadSanitizer.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "base/spin_lock.hpp"
#include "hub/hub_core.hpp"
#include "support/leaks.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace tendril::detail {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr bool sanitized = sizeof TENDRIL_TEST_SANITIZE > 1;

// Before any hub reads it: threads that end abandon their fibers at once.
[[maybe_unused]] const int grace = ::setenv("TENDRIL_EXIT_GRACE_MS", "0", 1);

/// A semaphore, as the layers above build it: a lock, a list of waiters, one ticket each.
class gate {
public:
    bool pass(time_point deadline) {
        hub_core& hub = hub_core::current();
        waiter self;
        self.who = hub.prepare();
        {
            const std::lock_guard lock(lock_);
            if (permits_ != 0) {
                --permits_;
                hub_core::withdraw(self.who);
                return true;
            }
            push_waiter(waiters_, self);
        }
        const wake end = hub.park(self.who, {wait_kind::sync, "gate"}, deadline);
        if (end != wake::ready) {
            const std::lock_guard lock(lock_);
            remove_waiter(waiters_, self);
        }
        return end == wake::ready;
    }

    void open_once() {
        const std::lock_guard lock(lock_);
        while (waiter* w = pop_waiter(waiters_)) {
            if (hub_core::wake_up(w->who, wake::ready)) {
                return;
            }
        }
        ++permits_;
    }

    /// The tickets of all who wait now, for somebody who comes late with them.
    void copy_tickets(std::vector<ticket>& to) {
        const std::lock_guard lock(lock_);
        waiter* w = waiters_;
        for (bool more = w != nullptr; more; more = w != waiters_) {
            to.push_back(w->who);
            w = w->next;
        }
    }

    int permits() {
        const std::lock_guard lock(lock_);
        return permits_;
    }

private:
    spin_lock lock_;
    waiter* waiters_ = nullptr;
    int permits_ = 0;
};

class HubRace : public testing::Test {
protected:
    const unsigned seed_ = std::random_device{}();
    const testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
};

TEST_F(HubRace, PermitsAreNeitherLostNorDoubledBetweenThreads) {
    constexpr int hubs = 3;
    constexpr int fibers = 20;
    constexpr int tries = sanitized ? 40 : 200;
    gate g;
    std::atomic<int> passed{0};
    std::atomic<int> opened{0};
    std::atomic<int> running{hubs};
    std::vector<std::thread> threads;
    for (unsigned h = 0; h < hubs; ++h) {
        threads.emplace_back([&, h] {
            std::mt19937 random(seed_ + h);
            for (int i = 0; i < fibers; ++i) {
                spawn([&] {
                    for (int n = 0; n < tries; ++n) {
                        const time_point deadline =
                            hub_core::current().now() + microseconds(random() % 100);
                        passed += g.pass(deadline) ? 1 : 0;
                        if (random() % 4 == 0) {
                            g.open_once();
                            ++opened;
                        }
                    }
                }).detach();
            }
            tendril::hub::current().drain();
            --running;
        });
    }
    for (unsigned t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937 random(seed_ + 100 + t);
            while (running != 0) {
                for (auto n = random() % 4; n != 0; --n) {
                    g.open_once();
                    ++opened;
                }
                std::this_thread::yield();
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    EXPECT_EQ(passed + g.permits(), opened);
}

/// Waiting without any deadline: a wake-up that got lost on the way to a sleeping hub would hang.
TEST_F(HubRace, NoWakeUpIsLostBetweenSleepingHubs) {
    constexpr int rounds = sanitized ? 1'000 : 5'000;
    gate to_left;
    gate to_right;
    const auto play = [&](gate& in, gate& out) {
        for (int i = 0; i < rounds; ++i) {
            out.open_once();
            EXPECT_TRUE(in.pass(never));
        }
    };
    std::thread left([&] { play(to_left, to_right); });
    std::thread right([&] { spawn([&] { play(to_right, to_left); }).join(); });
    left.join();
    right.join();
    EXPECT_EQ(to_left.permits() + to_right.permits(), 0);
}

/// Threads come and go, with fibers still in the gate, whose stack nodes and tickets others use.
TEST_F(HubRace, ThreadsEndWhileOthersHoldTheirFibersTickets) {
    constexpr int rounds = sanitized ? 15 : 60;
    constexpr int fibers = 3;
    gate g;
    std::atomic<bool> stop{false};
    std::atomic<int> passed{0};
    std::atomic<int> closed{0};
    std::atomic<int> late_wins{0};
    std::vector<std::thread> wakers;
    testing::internal::CaptureStderr(); // each thread reports whom it abandoned
    for (unsigned t = 0; t < 2; ++t) {
        wakers.emplace_back([&, t] {
            std::mt19937 random(seed_ + t);
            std::vector<ticket> kept;
            while (!stop) {
                g.open_once();
                g.copy_tickets(kept);
                for (std::size_t n = 0; !kept.empty() && n < 8; ++n) {
                    const ticket some = kept[random() % kept.size()];
                    late_wins += hub_core::wake_up(some, wake::closed) ? 1 : 0;
                }
                if (kept.size() > 200) {
                    kept.erase(kept.begin(), kept.begin() + 100);
                }
                std::this_thread::yield();
            }
        });
    }
    for (int r = 0; r < rounds; ++r) {
        std::vector<std::thread> hubs;
        for (unsigned h = 0; h < 3; ++h) {
            hubs.emplace_back([&, h] {
                const lost_on_purpose lost;
                std::mt19937 random(seed_ + 1'000 * static_cast<unsigned>(r) + h);
                for (int i = 0; i < fibers; ++i) {
                    spawn([&, d = microseconds(random() % 2'000)] {
                        const time_point deadline =
                            d.count() % 2 == 0 ? never : hub_core::current().now() + d;
                        if (g.pass(deadline)) {
                            ++passed;
                        } else {
                            ++closed;
                        }
                    }).detach();
                }
                for (auto n = random() % 4; n != 0; --n) {
                    this_fiber::sleep_for(microseconds(random() % 100));
                }
            });
        }
        for (std::thread& t : hubs) {
            t.join();
        }
    }
    stop = true;
    for (std::thread& t : wakers) {
        t.join();
    }
    testing::internal::GetCapturedStderr();
    // Some that were woken had no time to say so; nobody said so unwoken.
    EXPECT_LE(passed + closed, 3 * fibers * rounds);
    // The hubs are well: their next threads work with them.
    for (int i = 0; i < 3; ++i) {
        std::thread([] {
            int n = 0;
            for (int k = 0; k < 10; ++k) {
                spawn([&] {
                    this_fiber::sleep_for(microseconds(50));
                    ++n;
                }).detach();
            }
            tendril::hub::current().drain();
            EXPECT_EQ(n, 10);
        }).join();
    }
}

/// Fibers are sent to hubs that end meanwhile: each runs to its end, or its joiner is told.
TEST_F(HubRace, FibersSentToHubsThatEndAreNeverLost) {
    constexpr int rounds = sanitized ? 15 : 60;
    testing::internal::CaptureStderr();
    std::atomic<int> ran{0};
    int ended_well = 0;
    int refused = 0;
    int too_late = 0;
    for (int r = 0; r < rounds; ++r) {
        const lost_on_purpose lost;
        std::atomic<int> ready{0};
        std::mutex mutex;
        std::vector<tendril::hub> targets;
        std::vector<std::thread> hubs;
        for (unsigned h = 0; h < 2; ++h) {
            hubs.emplace_back([&, h] {
                {
                    const std::lock_guard lock(mutex);
                    targets.push_back(tendril::hub::current());
                }
                ++ready;
                std::mt19937 random(seed_ + 100 * static_cast<unsigned>(r) + h);
                for (auto n = random() % 20; n != 0; --n) {
                    this_fiber::sleep_for(microseconds(random() % 50));
                }
            });
        }
        while (ready != 2) {
            this_fiber::sleep_for(microseconds(50));
        }
        std::vector<fiber<void>> sent;
        for (int i = 0; i < 20; ++i) {
            for (const tendril::hub& target : targets) {
                try {
                    sent.push_back(spawn(target, {}, [&ran, i] {
                        if (i % 3 == 0) {
                            this_fiber::sleep_for(microseconds(i));
                        }
                        ++ran;
                    }));
                } catch (const std::system_error& e) {
                    EXPECT_EQ(e.code().value(), ESRCH);
                    ++refused;
                }
            }
        }
        for (fiber<void>& f : sent) {
            try {
                f.get();
                ++ended_well;
            } catch (const std::system_error& e) {
                EXPECT_TRUE(e.code().value() == ESRCH || e.code().value() == ECANCELED);
                ++too_late;
            }
        }
        for (std::thread& t : hubs) {
            t.join();
        }
    }
    testing::internal::GetCapturedStderr();
    EXPECT_EQ(ended_well, ran);
    EXPECT_EQ(ended_well + refused + too_late, rounds * 40);
}

} // namespace
} // namespace tendril::detail
