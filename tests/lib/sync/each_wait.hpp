// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests share in which a fiber is cancelled, or its time is over, at each of its waits in
// turn: nobody else is lost, nothing is delivered twice or not at all, and what was waited for can
// be used as before.

#include <tendril/tendril.hpp>

#include "lib/hub/fake_hub.hpp"
#include "support/injection.hpp"

#include <functional>
#include <vector>

namespace tendril::test {

class each_wait : public testing::TestWithParam<ending> {
protected:
    static constexpr unsigned all_seeds = sanitized ? 100 : 1'000;

    /// The scenario's victim waits at least once.
    static void in_each_run(const std::function<void(injection&)>& scenario,
                            unsigned seeds = all_seeds) {
        const int waits = end_at_each_wait(
            GetParam(), seeds, [] { return watched_hub(); }, scenario);
        EXPECT_TRUE(waits > 0 || HasFailure()) << "the scenario tests nothing";
    }

private:
    /// On which a lost wake-up is an error, not a test that hangs.
    struct watched_hub : detail::fake_hub {
        watched_hub() {
            (**this).look_for_deadlocks([]() noexcept { return true; });
        }
    };
};

inline const auto each_ending = testing::Values(ending::cancel, ending::timeout);

/// Takes turns with the victim until it has ended.
class company {
public:
    template <typename Function>
    void add(Function function) {
        fibers_.push_back(spawn(function));
    }
    ~company() {
        for (fiber<void>& f : fibers_) {
            f.join();
        }
    }

private:
    std::vector<fiber<void>> fibers_;
};

} // namespace tendril::test
