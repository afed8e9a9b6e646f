// SPDX-License-Identifier: BSL-1.0
// Limits on all that a fiber does, and shields from them and from cancellation. The long waits
// below would take an hour.
#include <tendril/tendril.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::move_on_after;
using tendril::spawn;
using tendril::timed_out;
using tendril::timeout;
using tendril::with_timeout;
using tendril::this_fiber::sleep_for;
using tendril::this_fiber::yield;

TEST(Timeout, EndsTheWaitAndEachLaterOne) {
    timeout limit(1ms);
    for (int i = 0; i < 3; ++i) {
        try {
            sleep_for(1h);
            FAIL() << "went on";
        } catch (const timed_out& t) {
            EXPECT_TRUE(t.is(limit));
        }
    }
    EXPECT_TRUE(limit.expired());
}

TEST(Timeout, IsOverWithItsScope) {
    {
        const timeout limit(1ms);
        EXPECT_THROW(sleep_for(1h), timed_out);
    }
    sleep_for(1ms);
    EXPECT_FALSE(tendril::this_fiber::is_cancelled());
}

TEST(Timeout, HurtsNobodyWhoIsInTime) {
    {
        const timeout limit(1h);
        sleep_for(1ms);
        EXPECT_FALSE(limit.expired());
    }
    sleep_for(1ms);
}

TEST(Timeout, InThePastEndsTheFirstWait) {
    const timeout limit(-1s);
    EXPECT_THROW(sleep_for(1h), timed_out);
}

TEST(Timeout, TheOuterOneWinsWhenItIsEarlier) {
    const timeout outer(1ms);
    const timeout inner(1h);
    try {
        sleep_for(2h);
        FAIL();
    } catch (const timed_out& t) {
        EXPECT_TRUE(t.is(outer));
    }
    EXPECT_FALSE(inner.expired());
}

TEST(Timeout, TheInnerOneLeavesTheOuterOneAlone) {
    const timeout outer(1h);
    {
        const timeout inner(1ms);
        try {
            sleep_for(2h);
            FAIL();
        } catch (const timed_out& t) {
            EXPECT_TRUE(t.is(inner));
        }
    }
    sleep_for(1ms);
    EXPECT_FALSE(outer.expired());
}

TEST(Timeout, OfSeveralThatAreOverTheOutermostCounts) {
    const timeout outer(1ms);
    const timeout inner(1ms);
    while (!outer.expired() || !inner.expired()) {
        try {
            sleep_for(1h);
        } catch (const timed_out&) {
            const tendril::shield s;
            sleep_for(1ms);
        }
    }
    try {
        sleep_for(1h);
        FAIL();
    } catch (const timed_out& t) {
        EXPECT_TRUE(t.is(outer));
    }
}

TEST(Timeout, ALoopThatNeverWaitsCanAsk) {
    const timeout limit(5ms);
    while (!limit.expired()) {
    }
    const timeout other(5ms);
    EXPECT_THROW(
        for (;;) { tendril::this_fiber::throw_if_cancelled(); }, timed_out);
}

TEST(Timeout, CanBeMoved) {
    timeout limit(1ms);
    limit.reset(1h);
    sleep_for(3ms);
    EXPECT_FALSE(limit.expired());
    limit.reset(1ms);
    EXPECT_THROW(sleep_for(1h), timed_out);
    limit.reset(1h); // what is over stays over
    EXPECT_THROW(sleep_for(1h), timed_out);
}

TEST(Timeout, AShieldKeepsItOut) {
    const timeout limit(1ms);
    {
        const tendril::shield s;
        sleep_for(3ms);
    }
    EXPECT_THROW(sleep_for(1h), timed_out);
}

TEST(Timeout, WithinAShieldItWorks) {
    const tendril::shield s;
    const timeout limit(1ms);
    EXPECT_THROW(sleep_for(1h), timed_out);
}

TEST(Timeout, IsTheFibersOwn) {
    auto other = spawn([] {
        sleep_for(5ms);
        return 1;
    });
    {
        const timeout limit(1ms);
        EXPECT_THROW(sleep_for(1h), timed_out);
    }
    EXPECT_EQ(other.get(), 1);
}

TEST(Timeout, ACancelledFiberIsCancelledWhateverItsTimeouts) {
    bool right = false;
    auto f = spawn([&] {
        const timeout limit(1h);
        try {
            sleep_for(2h);
        } catch (const tendril::cancelled&) {
            right = true;
            throw;
        }
    });
    yield();
    f.cancel();
    f.join();
    EXPECT_TRUE(right);
}

/// An exception is on its way: what began before it must not throw, what begins and ends in the
/// destructor may.
TEST(Timeout, InADestructorDuringUnwindingItEndsWhatIsWithin) {
    struct tries_at_its_end {
        std::vector<std::string>& seen;
        ~tries_at_its_end() {
            if (!move_on_after(1ms, [] { sleep_for(1h); })) {
                seen.emplace_back("within");
            }
            sleep_for(1ms); // the one around it does not reach here
            try {
                const timeout limit(1h);
                const tendril::shield protects;
                sleep_for(1ms);
                throw std::runtime_error("another");
            } catch (const std::runtime_error&) {
                seen.emplace_back("went on");
            }
        }
    };
    std::vector<std::string> seen;
    const timeout around(2ms);
    try {
        const tries_at_its_end first{seen};
        const tries_at_its_end second{seen};
        sleep_for(1h);
    } catch (const timed_out& t) {
        EXPECT_TRUE(t.is(around));
        seen.emplace_back("around");
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"within", "went on", "within", "went on", "around"}));
}

TEST(Timeout, AParkedWaitInADestructorDuringUnwindingEndsToo) {
    bool ended = false;
    auto f = spawn([&] {
        struct waits_at_its_end {
            bool& ended;
            ~waits_at_its_end() {
                const auto until = std::chrono::steady_clock::now() + 5ms;
                ended = !tendril::move_on_at(until, [] { tendril::event().wait(); });
            }
        };
        const waits_at_its_end w{ended};
        sleep_for(1h);
    });
    yield();
    f.cancel();
    f.join();
    EXPECT_TRUE(ended);
}

TEST(Timeout, GoesOnInTheChildOfAFork) {
#ifdef TENDRIL_TSAN
    GTEST_SKIP() << "ThreadSanitizer does not follow a fork";
#endif
    const timeout limit(20ms);
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            sleep_for(1h);
        } catch (const timed_out&) {
            ::_exit(42);
        }
        ::_exit(1);
    }
    EXPECT_THROW(sleep_for(1h), timed_out);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(Shield, KeepsCancellationOut) {
    tendril::event let_go;
    bool finished = false;
    tendril::fiber<void> f = spawn([&] {
        {
            const tendril::shield s;
            let_go.wait();
            EXPECT_FALSE(tendril::this_fiber::is_cancelled());
            finished = true;
        }
        EXPECT_TRUE(tendril::this_fiber::is_cancelled());
        sleep_for(1h);
    });
    yield();
    f.cancel("later");
    yield();
    EXPECT_FALSE(f.ready());
    let_go.set();
    EXPECT_THAT([&] { f.get(); },
                testing::ThrowsMessage<std::system_error>(testing::HasSubstr("later")));
    EXPECT_TRUE(finished);
}

TEST(Shield, GivesWayToCancellationAtItsDeadline) {
    bool ended = false;
    tendril::fiber<void> f = spawn([&] {
        const tendril::shield s(2ms);
        try {
            sleep_for(1h);
        } catch (const tendril::cancelled&) {
            ended = true;
            throw;
        }
    });
    yield();
    f.cancel();
    f.join();
    EXPECT_TRUE(ended);
}

TEST(MoveOnAfter, GivesWhatTheFunctionReturns) {
    EXPECT_EQ(move_on_after(1h, [] { return 5; }), 5);
    EXPECT_EQ(move_on_after(1ms,
                            [] {
                                sleep_for(1h);
                                return 5;
                            }),
              std::nullopt);
    EXPECT_TRUE(move_on_after(1h, [] {}));
    EXPECT_FALSE(move_on_after(1ms, [] { sleep_for(1h); }));
    EXPECT_EQ(*move_on_after(1h, [] { return std::make_unique<int>(3); }).value(), 3);
}

TEST(MoveOnAfter, AWaitThatSomebodySwallowedCountsToo) {
    const auto got = move_on_after(1ms, [] {
        try {
            sleep_for(1h);
        } catch (...) { // as C code sees an error
        }
        return 5;
    });
    EXPECT_EQ(got, std::nullopt);
}

TEST(MoveOnAfter, AnOuterTimeoutPasses) {
    const timeout outer(1ms);
    EXPECT_THROW(move_on_after(1h, [] { sleep_for(2h); }), timed_out);
}

TEST(MoveOnAfter, WhatTheFunctionThrowsPasses) {
    EXPECT_THROW(move_on_after(1h, []() -> int { throw std::runtime_error("x"); }),
                 std::runtime_error);
}

TEST(WithTimeout, LatenessIsAnError) {
    EXPECT_EQ(with_timeout(1h, [] { return std::string("in time"); }), "in time");
    with_timeout(1h, [] {});
    try {
        with_timeout(1ms, [] { sleep_for(1h); });
        FAIL();
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), ETIMEDOUT);
    }
}

TEST(TimeoutDeathTest, MustEndInTheReverseOrderOfItsBeginning) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            auto first = std::make_unique<timeout>(1h);
            const timeout second(1h);
            first.reset();
        },
        "tendril: a timeout or shield ends on another fiber");
}

} // namespace
