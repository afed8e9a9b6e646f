// SPDX-License-Identifier: BSL-1.0
#include "offload/offload.hpp"
#include "offload/worker_pool.hpp"

#include <tendril/cancel.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace tendril::detail {
namespace {

using namespace std::chrono_literals;
constexpr wait_reason why{wait_kind::other, "offload"};

struct state {
    std::thread::id thread;
    int value = 0;
};

TEST(offload, runs_elsewhere_and_brings_back_what_it_wrote) {
    const auto [end, s] = offload_with(
        std::make_shared<state>(),
        [](state& x) noexcept {
            x.thread = std::this_thread::get_id();
            x.value = 42;
            EXPECT_EQ(nullptr, hub_core::current_or_null());
        },
        why);
    EXPECT_EQ(wake::ready, end);
    EXPECT_EQ(42, s->value);
    EXPECT_NE(std::this_thread::get_id(), s->thread);
}

TEST(offload, many_jobs_on_few_threads) {
    std::vector<tendril::fiber<std::thread::id>> fibers;
    for (int i = 0; i < 200; ++i) {
        fibers.push_back(tendril::spawn([] {
            return offload_with(
                       std::make_shared<state>(),
                       [](state& x) noexcept { x.thread = std::this_thread::get_id(); }, why)
                .second->thread;
        }));
    }
    std::set<std::thread::id> threads;
    for (auto& f : fibers) {
        threads.insert(f.get());
    }
    EXPECT_LE(threads.size(), 8u);
}

TEST(offload, a_job_outlives_a_wait_that_ends_first) {
    static std::atomic<bool> gone{false};
    static std::atomic<bool> release{false};
    static std::atomic<bool> begun{false};
    struct guarded {
        ~guarded() { gone = true; }
    };
    while (!begun) { // one that has not, by then, never will
        gone = false;
        auto [end, s] = offload_with(
            std::make_shared<guarded>(),
            [](guarded&) noexcept {
                begun = true;
                while (!release) {
                    std::this_thread::yield();
                }
            },
            why, std::chrono::steady_clock::now() + 1ms);
        EXPECT_EQ(wake::timeout, end);
    }
    EXPECT_FALSE(gone);
    release = true;
    while (!gone) { // the worker drops the last reference
        std::this_thread::yield();
    }
}

TEST(offload, a_fiber_that_is_cancelled_already_begins_nothing) {
    static std::atomic<bool> ran{false};
    auto f = tendril::spawn([] {
        try {
            tendril::this_fiber::sleep_for(1h);
        } catch (const tendril::cancelled&) {
            const auto end = offload_with(
                std::make_shared<state>(), [](state&) noexcept { ran = true; }, why);
            EXPECT_EQ(wake::cancelled, end.first);
        }
    });
    tendril::this_fiber::yield();
    f.cancel();
    f.join();
    EXPECT_TRUE(worker_pool::brisk().drain());
    EXPECT_FALSE(ran);
}

TEST(offload, a_job_that_no_worker_has_begun_is_withdrawn) {
    static std::atomic<bool> release{false};
    static std::atomic<int> begun{0};
    static std::atomic<bool> ran{false};
    const auto threads = static_cast<int>(worker_pool::brisk().most_threads());
    std::vector<tendril::fiber<void>> fibers;
    for (int i = 0; i < threads; ++i) {
        fibers.push_back(tendril::spawn([] {
            offload_with(
                std::make_shared<state>(),
                [](state&) noexcept {
                    ++begun;
                    release.wait(false);
                },
                why);
        }));
    }
    while (begun < threads) {
        tendril::this_fiber::sleep_for(100us);
    }
    const auto end = offload_with(
        std::make_shared<state>(), [](state&) noexcept { ran = true; }, why,
        std::chrono::steady_clock::now() + 1ms);
    EXPECT_EQ(wake::timeout, end.first);
    EXPECT_EQ(1, end.second.use_count()); // nobody else has it
    release = true;
    release.notify_all();
    for (auto& f : fibers) {
        f.join();
    }
    EXPECT_TRUE(worker_pool::brisk().drain());
    EXPECT_FALSE(ran);
}

} // namespace
} // namespace tendril::detail
