// SPDX-License-Identifier: BSL-1.0
#include <tendril/event.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>
#include <tendril/semaphore.hpp>
#include <tendril/thread_pool.hpp>
#include <tendril/timeout.hpp>

#include "support/error_of.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>

namespace {

using namespace std::chrono_literals;
using tendril::limiter;
using tendril::spawn;
using tendril::thread_pool;
using tendril_test::error_of;

/// Says when it is destroyed.
class mark {
public:
    explicit mark(std::atomic<int>& gone)
        : gone_(&gone) {}
    mark(mark&& other) noexcept
        : gone_(std::exchange(other.gone_, nullptr)) {}
    mark& operator=(mark&&) = delete;
    ~mark() {
        if (gone_ != nullptr) {
            ++*gone_;
        }
    }

private:
    std::atomic<int>* gone_;
};

/// Holds up threads of a pool, which block in it as in a call of somebody else's.
struct gate {
    std::atomic<bool> open{false};
    std::atomic<int> arrived{0};
    void pass() {
        ++arrived;
        open.wait(false);
    }
    void await(int count) {
        while (arrived < count) {
            tendril::this_fiber::sleep_for(50us);
        }
    }
    void unlock() {
        open = true;
        open.notify_all();
    }
};

TEST(ThreadPool, ResultsAndArguments) {
    thread_pool pool(2);
    EXPECT_EQ(pool.threads(), 2u);
    EXPECT_NE(pool.run([] { return std::this_thread::get_id(); }), std::this_thread::get_id());
    EXPECT_EQ(pool.run([](int a, const std::string& b) { return b + std::to_string(a); }, 7, "x"),
              "x7");
    const std::unique_ptr<int> moved =
        pool.run([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(5));
    EXPECT_EQ(*moved, 5);
    int target = 0;
    int& reference = pool.run([](int& r) -> int& { return r; }, std::ref(target));
    EXPECT_EQ(&reference, &target);
    pool.run([&target] { target = 3; });
    EXPECT_EQ(target, 3);
    EXPECT_EQ(tendril::offload([](int n) { return n + 1; }, 1), 2);
    EXPECT_GE(thread_pool().threads(), 1u);
}

TEST(ThreadPool, ExceptionsComeBack) {
    thread_pool pool(1);
    EXPECT_THROW(pool.run([] { throw std::range_error("far"); }), std::range_error);
    EXPECT_THROW(tendril::offload([]() -> int { throw 5; }), int);
    auto later = pool.submit([]() -> int { throw std::range_error("far"); });
    EXPECT_THROW(later.get(), std::range_error);
}

TEST(ThreadPool, OthersRunMeanwhile) {
    thread_pool pool(1);
    gate g;
    auto caller = spawn([&] { pool.run([&] { g.pass(); }); });
    g.await(1);
    EXPECT_FALSE(caller.ready());
    g.unlock();
    caller.join();
}

TEST(ThreadPool, SubmittedCallsRunInTheirOrderOnAsManyThreadsAsGiven) {
    thread_pool pool(1);
    std::vector<int> order;
    std::vector<tendril::future<std::thread::id>> all;
    for (int i = 0; i < 100; ++i) {
        all.push_back(pool.submit([&order, i] {
            order.push_back(i);
            return std::this_thread::get_id();
        }));
    }
    pool.drain();
    std::set<std::thread::id> threads;
    for (auto& each : all) {
        EXPECT_TRUE(each.ready());
        threads.insert(each.get());
    }
    EXPECT_EQ(threads.size(), 1u);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    }
}

TEST(ThreadPool, WorksFromThreadsWithoutAHubAndHasNoneItself) {
    thread_pool pool(2);
    std::thread([&] { EXPECT_EQ(pool.run([] { return 1; }), 1); }).join();
    auto made = pool.submit([] { // made by the first wait
        const tendril::hub mine = tendril::hub::current();
        return std::make_pair(spawn([] { return 9; }).get(), mine);
    });
    const auto [value, hub] = made.get();
    EXPECT_EQ(value, 9);
    EXPECT_FALSE(hub.ended());
    pool.shutdown();
    EXPECT_TRUE(hub.ended()); // gone with its thread, for which shutdown waits
}

TEST(ThreadPool, SignalsAreNotItsBusiness) {
    thread_pool pool(1, "a name that is much too long");
    sigset_t blocked;
    sigemptyset(&blocked);
    pool.run([&blocked] { pthread_sigmask(SIG_SETMASK, nullptr, &blocked); });
    EXPECT_EQ(sigismember(&blocked, SIGUSR1), 1);
    const std::string name = pool.run([] {
        char text[32] = {};
        pthread_getname_np(pthread_self(), text, sizeof text);
        return std::string(text);
    });
    EXPECT_EQ(name, "a name that is ");
}

// ---------------------------------------------------------------------------------- cancellation

TEST(ThreadPool, ACancelledFiberGoesAtOnceAndTheCallRunsToItsEnd) {
    thread_pool pool(1);
    gate g;
    std::atomic<int> gone{0};
    auto caller = spawn([&] {
        pool.run(
            [&g, &gone](const mark&) {
                g.pass();
                return mark(gone);
            },
            mark(gone));
    });
    g.await(1);
    caller.cancel();
    caller.join();
    EXPECT_EQ(error_of([&] { caller.get(); }), ECANCELED);
    EXPECT_EQ(gone, 0); // the thread still has both
    g.unlock();
    pool.drain();
    EXPECT_EQ(gone, 2);
}

TEST(ThreadPool, AnAbandonedCallMayThrow) {
    thread_pool pool(1);
    gate g;
    auto caller = spawn([&] {
        pool.run([&g] {
            g.pass();
            throw std::runtime_error("nobody hears of it");
        });
    });
    g.await(1);
    caller.cancel();
    caller.join();
    g.unlock();
    pool.drain();
}

TEST(ThreadPool, ACallThatHasNotBegunIsWithdrawn) {
    thread_pool pool(1);
    gate g;
    std::atomic<int> gone{0};
    bool ran = false;
    auto first = pool.submit([&g] { g.pass(); });
    g.await(1);
    EXPECT_FALSE(tendril::move_on_after(
        1ms, [&] { pool.run([&ran](const mark&) { ran = true; }, mark(gone)); }));
    EXPECT_EQ(gone, 1);
    g.unlock();
    pool.drain();
    EXPECT_FALSE(ran);
}

TEST(ThreadPool, ACancelledFiberBeginsNothing) {
    thread_pool pool(1);
    bool ran = false;
    auto caller = spawn([&] {
        try {
            tendril::this_fiber::sleep_for(1h);
        } catch (const tendril::cancelled&) {
            pool.run([&ran] { ran = true; });
        }
    });
    tendril::this_fiber::yield();
    caller.cancel();
    caller.join();
    pool.drain();
    EXPECT_FALSE(ran);
}

// --------------------------------------------------------------------------------------- limiter

TEST(Limiter, BoundsOneKindAndServesInOrder) {
    thread_pool pool(8);
    const limiter two(2);
    EXPECT_EQ(two.limit(), 2u);
    std::atomic<int> now{0};
    std::atomic<int> most{0};
    std::vector<int> order;
    std::vector<tendril::fiber<void>> callers;
    for (int i = 0; i < 40; ++i) {
        callers.push_back(spawn([&, i] {
            const auto f = pool.submit(two, [&] {
                const int here = ++now;
                int seen = most;
                while (seen < here && !most.compare_exchange_weak(seen, here)) {
                }
                std::this_thread::sleep_for(100us);
                --now;
            });
            order.push_back(i);
            f.wait();
        }));
    }
    for (auto& each : callers) {
        each.join();
    }
    EXPECT_LE(most, 2);
    EXPECT_EQ(two.in_use(), 0u);
    for (int i = 0; i < 40; ++i) {
        EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    }
}

TEST(Limiter, WaitingForItCanBeCancelledAndAnAbandonedCallCounts) {
    thread_pool pool(4);
    auto one = std::make_optional<limiter>(1);
    gate g;
    auto holder = spawn([&] { pool.run(*one, [&g] { g.pass(); }); });
    g.await(1);
    bool ran = false;
    auto waiting = spawn([&] { pool.run(*one, [&ran] { ran = true; }); });
    tendril::this_fiber::yield();
    waiting.cancel();
    waiting.join();
    holder.cancel();
    holder.join();
    EXPECT_EQ(one->in_use(), 1u); // it still runs
    EXPECT_FALSE(tendril::move_on_after(1ms, [&] { pool.run(*one, [] {}); }));
    g.unlock();
    pool.run(*one, [] {});
    EXPECT_FALSE(ran);
    EXPECT_EQ(one->in_use(), 0u);
    EXPECT_EQ(error_of([] { limiter(0); }), EINVAL);
}

TEST(Limiter, IsFreeAgainBeforeTheResultIsSeen) {
    const limiter one(1);
    for (int i = 0; i < 200; ++i) {
        tendril::offload(one, [] {});
        ASSERT_EQ(one.in_use(), 0u);
    }
}

// ---------------------------------------------------------------------------------------- the end

TEST(ThreadPool, ShutdownRefusesWhatHasNotBegunAndWaitsForTheRest) {
    thread_pool pool(1);
    gate g;
    std::atomic<int> gone{0};
    auto running = pool.submit([&g] {
        g.pass();
        return 1;
    });
    g.await(1);
    auto queued = pool.submit([](const mark&) { return 2; }, mark(gone));
    auto waits = spawn([&] { return pool.run([] { return 3; }); });
    tendril::this_fiber::yield();
    auto closer = spawn([&] { pool.shutdown(); });
    tendril::this_fiber::yield();
    EXPECT_EQ(gone, 1);
    EXPECT_EQ(error_of([&] { queued.get(); }), ECANCELED);
    EXPECT_EQ(error_of([&] { waits.get(); }), ECANCELED);
    EXPECT_FALSE(closer.ready());
    EXPECT_EQ(error_of([&] { pool.submit([] {}); }), ESRCH);
    EXPECT_EQ(error_of([&] { pool.run([] {}); }), ESRCH);
    g.unlock();
    closer.join();
    EXPECT_EQ(running.get(), 1);
    pool.shutdown();
}

TEST(ThreadPool, EndsUnderLoad) {
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> ran{0};
        int refused = 0;
        std::vector<tendril::fiber<void>> callers;
        {
            thread_pool pool(4);
            for (int i = 0; i < 200; ++i) {
                callers.push_back(
                    spawn([&] { refused += error_of([&] { pool.run([&ran] { ++ran; }); }) != 0; }));
            }
            tendril::this_fiber::yield();
            pool.shutdown();
            for (auto& each : callers) { // they still refer to the pool
                each.join();
            }
        }
        EXPECT_EQ(ran + refused, 200);
    }
}

struct slow_to_end {
    std::atomic<bool>* ended = nullptr;
    ~slow_to_end() {
        if (ended != nullptr) {
            std::this_thread::sleep_for(1ms);
            *ended = true;
        }
    }
};
thread_local slow_to_end of_worker;

TEST(ThreadPool, ItsEndIsThatOfItsThreads) {
    std::atomic<bool> ended{false};
    std::thread([&ended] { // without a hub
        thread_pool pool(1);
        pool.submit([&ended] { of_worker.ended = &ended; });
        pool.drain();
    })
        .join();
    EXPECT_TRUE(ended);
    ended = false;
    {
        thread_pool pool(3);
        pool.run([&ended] { of_worker.ended = &ended; });
    }
    EXPECT_TRUE(ended);
}

TEST(ThreadPool, WaitingForItselfIsRefused) {
    thread_pool pool(1);
    // Asked there: ThreadSanitizer does not see how libstdc++ counts who holds an exception.
    EXPECT_EQ(pool.run([&pool] { return error_of([&pool] { pool.shutdown(); }); }), EDEADLK);
    EXPECT_EQ(pool.run([&pool] { return error_of([&pool] { pool.drain(); }); }), EDEADLK);
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            auto mine = std::make_unique<thread_pool>(1);
            mine->run([&mine] { mine.reset(); });
        },
        "a thread pool is destroyed within a call that it runs");
}

TEST(ThreadPool, DrainCanBeCancelled) {
    thread_pool pool(1);
    gate g;
    auto f = pool.submit([&g] { g.pass(); });
    auto drains = spawn([&] { pool.drain(); });
    tendril::this_fiber::yield();
    drains.cancel();
    drains.join();
    EXPECT_FALSE(f.ready());
    g.unlock();
}

} // namespace
