// SPDX-License-Identifier: BSL-1.0
#pragma once

// One fiber of a scenario is ended at its first wait; then, in a run of its own, at its second, and
// so on until one run comes to its end untouched. Afterwards, likewise in random orders.

#include <tendril/cancel.hpp>
#include <tendril/fiber.hpp>
#include <tendril/timeout.hpp>

#include "hub/hub_core.hpp"
#include "hub/task_access.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <random>
#include <string>

namespace tendril::test {

using detail::hub_core;

inline constexpr bool sanitized = sizeof TENDRIL_TEST_SANITIZE > 1;

enum class ending { cancel, timeout };

inline std::string name_of(const testing::TestParamInfo<ending>& info) {
    return info.param == ending::cancel ? "Cancel" : "Timeout";
}

/// Asked by the hub at each switch, so it sees each wait as it begins.
class injection final : public hub_core::schedule {
public:
    /// `seed`: none for first in, first out.
    injection(hub_core& hub, ending how, int at_wait, std::optional<unsigned> seed)
        : hub_(hub)
        , how_(how)
        , at_wait_(at_wait)
        , random_(seed.value_or(0))
        , in_order_(!seed) {
        hub_.set_schedule(this);
    }
    ~injection() { hub_.set_schedule(nullptr); }
    injection(const injection&) = delete;
    injection& operator=(const injection&) = delete;

    /// Calls `body` in a fiber and ends that at the chosen wait.
    /// @returns whether the body came to its end.
    template <typename Body>
    bool run(Body body) {
        bool finished = false;
        std::optional<fiber<void>> f(spawn({"victim"}, [&] {
            timeout limit(std::chrono::hours(1));
            limit_ = &limit;
            victim_ = &hub_.running();
            const ended e{*this};
            try {
                body();
                finished = true;
            } catch (const timed_out& t) {
                EXPECT_TRUE(t.is(limit));
                EXPECT_TRUE(injected_ && how_ == ending::timeout);
            } catch (const cancelled& c) {
                EXPECT_EQ(c.reason(), "injected");
                EXPECT_TRUE(injected_ && how_ == ending::cancel);
                throw;
            }
        }));
        target_ = &*f;
        f->join();
        target_ = nullptr;
        return finished;
    }

    int waits() const noexcept { return waits_; } ///< of the victim so far
    bool injected() const noexcept { return injected_; }

    std::size_t choose(std::size_t below) noexcept override {
        look();
        return in_order_ ? 0 : random_() % below;
    }

private:
    struct ended {
        injection& of;
        ~ended() {
            of.limit_ = nullptr;
            of.victim_ = nullptr;
        }
    };

    void look() noexcept {
        if (victim_ == nullptr || &hub_.running() != victim_ || victim_->waiting == nullptr) {
            return;
        }
        const std::uint64_t word = victim_->word.load();
        if (word == seen_) {
            return;
        }
        seen_ = word;
        if (++waits_ == at_wait_) {
            inject();
        }
    }

    void inject() noexcept {
        injected_ = true;
        if (how_ == ending::cancel) {
            target_->cancel("injected");
        } else {
            limit_->reset(std::chrono::steady_clock::time_point());
        }
    }

    hub_core& hub_;
    const ending how_;
    const int at_wait_;
    std::mt19937 random_;
    const bool in_order_;
    fiber<void>* target_ = nullptr;
    timeout* limit_ = nullptr;
    const detail::fiber_record* victim_ = nullptr;
    std::uint64_t seen_ = 0;
    int waits_ = 0;
    bool injected_ = false;
};

/// `scenario(injection&)` makes what it needs, spawns whom it needs, calls run() once, and checks
/// what must hold wherever the victim was ended.
/// @param make_hub returns what hub the scenario runs on, as long as it lives.
/// @returns how many waits there were in order.
template <typename MakeHub, typename Scenario>
int end_at_each_wait(ending how, unsigned seeds, MakeHub make_hub, Scenario scenario) {
    const auto one = [&](int at_wait, std::optional<unsigned> seed) {
        const testing::ScopedTrace trace(__FILE__, __LINE__,
                                         (seed ? "seed " + std::to_string(*seed) : "in order") +
                                             ", wait " + std::to_string(at_wait));
        auto&& hub = make_hub();
        const std::size_t live = hub->live();
        injection i(*hub, how, at_wait, seed);
        scenario(i);
        hub->drain();
        EXPECT_EQ(hub->live(), live);
        return i.waits();
    };
    int waits = 0;
    for (int n = 1; !testing::Test::HasFailure(); ++n) {
        const int seen = one(n, {});
        if (seen < n) {
            waits = seen;
            break;
        }
    }
    for (unsigned seed = 0; seed < seeds && waits > 0 && !testing::Test::HasFailure(); ++seed) {
        one(1 + static_cast<int>(seed) % waits, seed);
    }
    return waits;
}

} // namespace tendril::test
