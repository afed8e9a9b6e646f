// SPDX-License-Identifier: BSL-1.0
#pragma once

// One scenario, many settings: on one hub, on two, on a hub and plain threads, in random orders,
// and with one wait after the other cut short by its deadline.

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "hub/hub_core.hpp"
#include "lib/hub/fake_hub.hpp"
#include "sync/select.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tendril::detail {

enum class setting { one_hub, two_hubs, hub_and_threads, random_order, timeout_at_each_wait };

inline constexpr bool sanitized = sizeof TENDRIL_TEST_SANITIZE > 1;
inline constexpr unsigned seeds = sanitized ? 100 : 1'000;
inline constexpr int repetitions = sanitized ? 5 : 20; ///< where the kernel decides the order

using actor = std::function<void()>;

/// Where a scenario's actors act.
class world {
public:
    world(setting where, unsigned seed, std::optional<int> cut_short = {})
        : where_(where)
        , seed_(seed)
        , cut_short_(cut_short) {}

    /// Runs all to their end, at the same time.
    void run(std::vector<actor> actors) const {
        switch (where_) {
        case setting::two_hubs:
            run_on_hubs(actors);
            break;
        case setting::hub_and_threads:
            run_on_hub_and_threads(actors);
            break;
        default:
            run_here(actors);
        }
    }

    /// Of the next wait: mostly none. What a test expects must hold whether or not it passes.
    time_point deadline() {
        const int n = waits_.fetch_add(1);
        if (where_ == setting::timeout_at_each_wait) {
            return n == cut_short_ ? now() + std::chrono::microseconds(1) : never;
        }
        const unsigned chance = (static_cast<unsigned>(n) + seed_) * 2654435761U >> 16;
        return chance % 4 == 0 ? now() + std::chrono::microseconds(chance / 4 % 32) : never;
    }
    int waits() const { return waits_; } ///< with a deadline() so far

    /// Lets others go on.
    static void pause() {
        if (hub_core* const hub = hub_core::current_or_null()) {
            hub->yield();
        } else {
            std::this_thread::yield();
        }
    }

    /// All actors run on one thread, so what happens between two waits happens at once.
    bool on_one_thread() const {
        return where_ != setting::two_hubs && where_ != setting::hub_and_threads;
    }

private:
    static time_point now() {
        hub_core* const hub = hub_core::current_or_null();
        return hub != nullptr ? hub->now() : std::chrono::steady_clock::now();
    }

    static void run_here(const std::vector<actor>& actors) {
        std::vector<fiber<void>> fibers;
        for (const actor& a : actors) {
            fibers.push_back(spawn([&a] { a(); }));
        }
        for (fiber<void>& f : fibers) {
            f.join();
        }
    }

    static void run_on_hubs(const std::vector<actor>& actors) {
        std::vector<actor> halves[2];
        for (std::size_t i = 0; i < actors.size(); ++i) {
            halves[i % 2].push_back(actors[i]);
        }
        std::thread other([&] { run_here(halves[1]); });
        run_here(halves[0]);
        other.join();
    }

    static void run_on_hub_and_threads(const std::vector<actor>& actors) {
        std::vector<actor> fibers;
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < actors.size(); ++i) {
            if (i % 2 == 0) {
                fibers.push_back(actors[i]);
            } else {
                threads.emplace_back(actors[i]);
            }
        }
        run_here(fibers);
        for (std::thread& t : threads) {
            t.join();
        }
    }

    setting where_;
    unsigned seed_;
    std::optional<int> cut_short_;
    std::atomic<int> waits_{0};
};

/// A hub whose order is a function of the seed, and whose clock moves as it runs.
class random_hub {
public:
    explicit random_hub(unsigned seed)
        : order_(seed, hub_) {
        hub_->set_schedule(&order_);
        reset_select_order();
    }
    ~random_hub() {
        hub_.run();
        hub_->set_schedule(nullptr);
    }
    fake_hub& operator*() noexcept { return hub_; }
    random_hub(const random_hub&) = delete;
    random_hub& operator=(const random_hub&) = delete;

private:
    class order final : public hub_core::schedule {
    public:
        order(unsigned seed, fake_hub& hub)
            : random_(seed)
            , hub_(hub) {}
        std::size_t choose(std::size_t below) noexcept override {
            hub_.reactor().advance(std::chrono::microseconds(1));
            return random_() % below;
        }

    private:
        std::mt19937 random_;
        fake_hub& hub_;
    };

    fake_hub hub_;
    order order_;
};

/// A test of this kind runs `in_each_world(scenario)`; the scenario makes what it needs, calls
/// world::run, and checks what must hold whatever the order.
class Settings : public testing::TestWithParam<setting> {
protected:
    template <typename Scenario>
    void in_each_world(Scenario scenario) const {
        switch (GetParam()) {
        case setting::random_order:
            for (unsigned seed = 0; seed < seeds && !HasFailure(); ++seed) {
                in_random_order(scenario, seed, {});
            }
            break;
        case setting::timeout_at_each_wait:
            for (int n = 0; in_random_order(scenario, static_cast<unsigned>(n), n) > n;) {
                ++n;
            }
            break;
        default:
            in_real_order(scenario);
        }
    }

private:
    template <typename Scenario>
    int in_random_order(Scenario& scenario, unsigned seed, std::optional<int> cut_short) const {
        const testing::ScopedTrace trace(__FILE__, __LINE__, "seed " + std::to_string(seed));
        random_hub hub(seed);
        world w(GetParam(), seed, cut_short);
        scenario(w);
        EXPECT_EQ((*hub)->live(), 0u);
        return HasFailure() ? 0 : w.waits();
    }

    template <typename Scenario>
    void in_real_order(Scenario& scenario) const {
        const unsigned seed = std::random_device{}();
        for (int i = 0; i < repetitions && !HasFailure(); ++i) {
            world w(GetParam(), seed + static_cast<unsigned>(i));
            scenario(w);
        }
    }
};

inline std::string name_of(const testing::TestParamInfo<setting>& info) {
    static constexpr const char* names[] = {"OneHub", "TwoHubs", "HubAndThreads", "RandomOrder",
                                            "TimeoutAtEachWait"};
    return names[static_cast<std::size_t>(info.param)];
}

inline const auto every_setting =
    testing::Values(setting::one_hub, setting::two_hubs, setting::hub_and_threads,
                    setting::random_order, setting::timeout_at_each_wait);

} // namespace tendril::detail
