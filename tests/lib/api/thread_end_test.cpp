// SPDX-License-Identifier: BSL-1.0
// Threads and processes that end while fibers live. Each case is a process of its own.
#include <tendril/cancel.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "support/error_of.hpp"
#include "support/leaks.hpp"
#include "support/require.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using tendril::fiber;
using tendril::spawn;
using tendril::detail::leave_leaks_unchecked;
using tendril::detail::lost_on_purpose;
using tendril_test::error_of;
using testing::Eq;
using testing::ExitedWithCode;

class ThreadEnd : public testing::Test {
protected:
    ThreadEnd() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

void grace(const char* milliseconds) {
    ::setenv("TENDRIL_EXIT_GRACE_MS", milliseconds, 1);
}

TEST_F(ThreadEnd, ItsFibersEndFirst) {
    int ended = 0;
    std::thread([&] {
        for (int i = 0; i < 10; ++i) {
            spawn([&, i] {
                tendril::this_fiber::sleep_for(std::chrono::microseconds(100 * i));
                ++ended;
            }).detach();
        }
    }).join();
    EXPECT_EQ(ended, 10);
}

TEST_F(ThreadEnd, FibersThatLastLongerAreAbandonedAndReported) {
    const auto body = [] {
        leave_leaks_unchecked();
        grace("0");
        const lost_on_purpose lost;
        std::optional<fiber<void>> parked;
        std::atomic<bool> joining{false};
        fiber<void> joiner = spawn([&] { // on this thread, joins a fiber of the other
            while (!joining) {
                tendril::this_fiber::sleep_for(100us);
            }
            parked->join();
        });
        std::atomic<bool> may_end{false};
        std::thread other([&] {
            parked = spawn({"stuck"}, [] { tendril::this_fiber::sleep_for(1h); });
            spawn([] { tendril::this_fiber::sleep_for(1h); }).detach();
            tendril::this_fiber::yield();
            joining = true;
            while (!may_end) {
                std::this_thread::yield();
            }
        });
        while (!joining) {
            tendril::this_fiber::sleep_for(100us);
        }
        tendril::this_fiber::sleep_for(300us);
        may_end = true;
        joiner.join();
        other.join();
        REQUIRE(parked->ready());
        REQUIRE(error_of([&] { parked->get(); }) == ECANCELED);
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "ended before 2 of its fibers did; they are abandoned");
}

TEST_F(ThreadEnd, AfterHalfTheGraceFibersAreCancelled) {
    const auto body = [] {
        grace("20");
        int unwound = 0;
        fiber<void> sleeper;
        std::thread([&] {
            sleeper = spawn([&] {
                struct guard {
                    int& n;
                    ~guard() { ++n; }
                } const here{unwound};
                tendril::this_fiber::sleep_for(1h);
            });
        }).join();
        REQUIRE(unwound == 1);
        REQUIRE(error_of([&] { sleeper.get(); }) == ECANCELED);
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), Eq(""));
}

TEST_F(ThreadEnd, WhoDoesNotEndWhenCancelledIsAbandonedAtItsEnd) {
    const auto body = [] {
        leave_leaks_unchecked();
        grace("20");
        std::thread([&] {
            const lost_on_purpose lost;
            spawn([&] {
                const tendril::shield stubborn;
                tendril::this_fiber::sleep_for(1h);
            }).detach();
            spawn([&] { tendril::this_fiber::sleep_for(1h); }).detach();
        }).join();
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "before 1 of its fibers");
}

TEST_F(ThreadEnd, AnInvalidGraceIsReportedAndTheDefaultStands) {
    const auto body = [] {
        leave_leaks_unchecked();
        grace("soon");
        int ended = 0;
        std::thread([&] {
            spawn([&] {
                tendril::this_fiber::sleep_for(1ms);
                ++ended;
            }).detach();
        }).join();
        REQUIRE(ended == 1);
        std::_Exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "TENDRIL_EXIT_GRACE_MS=soon is not valid");
}

struct log {
    std::string text;
    ~log() { text = "gone"; }
};
thread_local log local;

TEST_F(ThreadEnd, FibersMayUseThreadLocalObjectsMadeBefore) {
    std::string seen;
    std::thread([&] {
        local.text = "here";
        spawn([&] {
            tendril::this_fiber::sleep_for(1ms);
            seen = local.text;
        }).detach();
    }).join();
    EXPECT_EQ(seen, "here");
}

struct late_user {
    int* ended = nullptr;
    std::optional<tendril::hub>* made = nullptr;
    ~late_user() {
        if (ended != nullptr) {
            *made = tendril::hub::current();
            spawn([n = ended] {
                tendril::this_fiber::sleep_for(1ms);
                ++*n;
            }).detach();
        }
    }
};
thread_local late_user late;

/// Made after the hub has ended already, by the destructor of a thread_local object.
TEST_F(ThreadEnd, AHubMadeByADestructorEndsToo) {
    int ended = 0;
    std::optional<tendril::hub> made;
    std::thread([&] {
        late.ended = &ended; // constructed before the hub, so destroyed after it
        late.made = &made;
        spawn([&] { ++ended; }).join();
    }).join();
    EXPECT_EQ(ended, 2);
    ASSERT_TRUE(made.has_value());
    EXPECT_TRUE(made->ended());
}

TEST_F(ThreadEnd, ManyThreadsInARowShareOneHub) {
    int ended = 0;
    std::optional<tendril::hub> last;
    for (int i = 0; i < 100; ++i) {
        std::thread([&] {
            const tendril::hub mine = tendril::hub::current();
            EXPECT_FALSE(last.has_value() && (!last->ended() || *last == mine));
            last = mine;
            EXPECT_EQ(mine.statistics().spawned, 0u);
            for (int n = 0; n < 5; ++n) {
                spawn([&] { ++ended; }).detach();
            }
        }).join();
    }
    EXPECT_EQ(ended, 500);
}

TEST_F(ThreadEnd, ReturningFromMainAbandonsFibers) {
    const auto body = [] {
        leave_leaks_unchecked();
        struct never_destroyed {
            ~never_destroyed() { std::fputs("unwound\n", stderr); }
        };
        const lost_on_purpose lost;
        spawn([] {
            const never_destroyed here;
            tendril::this_fiber::sleep_for(1h);
        }).detach();
        tendril::this_fiber::yield();
        std::exit(5);
    };
    EXPECT_EXIT(body(), ExitedWithCode(5), Eq(""));
}

TEST_F(ThreadEnd, ExitInAFiberEndsTheProcess) {
    const auto body = [] {
        leave_leaks_unchecked();
        const lost_on_purpose lost;
        std::atexit([] { std::fputs("atexit ran\n", stderr); });
        auto other = spawn([] { tendril::this_fiber::sleep_for(1h); });
        spawn([] { std::exit(6); }).join();
    };
    EXPECT_EXIT(body(), ExitedWithCode(6), Eq("atexit ran\n"));
}

TEST_F(ThreadEnd, ExitInAFiberOfAnotherThreadEndsTheProcessAtOnce) {
    const auto body = [] {
        leave_leaks_unchecked();
        ::alarm(20); // with a grace of an hour
        grace("3600000");
        const lost_on_purpose lost;
        std::thread([] {
            auto other = spawn([] { tendril::this_fiber::sleep_for(1h); });
            spawn([] { std::exit(7); }).join();
        }).join();
    };
    EXPECT_EXIT(body(), ExitedWithCode(7), Eq(""));
}

TEST_F(ThreadEnd, StaticDestructorsMayStillUseFibers) {
    const auto body = [] {
        leave_leaks_unchecked();
        tendril::this_fiber::yield();
        std::atexit([] { std::fprintf(stderr, "got %d\n", spawn([] { return 8; }).get()); });
        std::exit(0);
    };
    EXPECT_EXIT(body(), ExitedWithCode(0), "got 8");
}

} // namespace
