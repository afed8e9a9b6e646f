// SPDX-License-Identifier: BSL-1.0
// Calls from other threads: hub::post and portal.
#include <tendril/event.hpp>
#include <tendril/hub.hpp>
#include <tendril/portal.hpp>
#include <tendril/timeout.hpp>

#include "support/error_of.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::event;
using tendril::hub;
using tendril::portal;
using tendril::spawn;
using tendril_test::error_of;

hub ended_hub() {
    std::optional<hub> h;
    std::thread([&h] { h = hub::current(); }).join();
    return *h;
}

// ------------------------------------------------------------------------------------------ post

TEST(Post, RunsOnTheHubsThreadInOrder) {
    const hub here = hub::current();
    const auto thread = std::this_thread::get_id();
    std::vector<int> order;
    event all;
    std::thread([&] {
        for (int i = 0; i < 100; ++i) {
            here.post(
                [&](const std::unique_ptr<int>& n) {
                    EXPECT_EQ(std::this_thread::get_id(), thread);
                    order.push_back(*n);
                    if (order.size() == 100) {
                        all.set();
                    }
                },
                std::make_unique<int>(i));
        }
    }).join();
    all.wait();
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    }
}

TEST(Post, FromTheHubItselfRunsLaterAndMayWait) {
    event done;
    bool ran = false;
    hub::current().post([&] {
        tendril::this_fiber::sleep_for(1ms);
        ran = true;
        done.set();
    });
    EXPECT_FALSE(ran);
    done.wait();
    EXPECT_TRUE(ran);
}

TEST(Post, ExceptionsArePrinted) {
    testing::internal::CaptureStderr();
    hub::current().post([] { throw std::runtime_error("posted"); });
    hub::current().drain();
    EXPECT_NE(testing::internal::GetCapturedStderr().find("std::runtime_error: posted"),
              std::string::npos);
}

TEST(Post, ToAHubThatHasEndedIsRefused) {
    const hub gone = ended_hub();
    bool ran = false;
    EXPECT_EQ(error_of([&] { gone.post([&ran] { ran = true; }); }), ESRCH);
    EXPECT_FALSE(ran);
}

// ---------------------------------------------------------------------------------------- portal

TEST(Portal, ForeignThreadsGetResultsAndExceptions) {
    portal to_here;
    const auto thread = std::this_thread::get_id();
    auto result = std::make_shared<std::atomic<int>>(0);
    std::thread foreign([&] {
        EXPECT_EQ(to_here.call(
                      [&](int n) {
                          EXPECT_EQ(std::this_thread::get_id(), thread);
                          tendril::this_fiber::sleep_for(1ms);
                          return n + 1;
                      },
                      41),
                  42);
        int local = 0;
        to_here.call([&local] { local = 5; });
        EXPECT_EQ(local, 5);
        int& same = to_here.call([&local]() -> int& { return local; });
        EXPECT_EQ(&same, &local);
        EXPECT_THROW(to_here.call([] { throw std::range_error("there"); }), std::range_error);
        *result = 1;
    });
    while (*result == 0) {
        tendril::this_fiber::sleep_for(100us);
    }
    foreign.join();
}

TEST(Portal, ManyThreadsAtOnce) {
    portal to_here;
    int calls = 0; // only touched on this thread
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                to_here.call([&calls] { ++calls; });
            }
            ++ended;
        });
    }
    while (ended < 4) {
        tendril::this_fiber::sleep_for(100us);
    }
    for (auto& t : threads) {
        t.join();
    }
    EXPECT_EQ(calls, 2000);
}

TEST(Portal, FromTheHubItselfAndFromAnother) {
    portal to_here;
    EXPECT_EQ(to_here.call([] { return 1; }), 1); // the main fiber
    EXPECT_EQ(
        spawn([&] { return to_here.call([&] { return to_here.call([] { return 2; }); }); }).get(),
        2);
    event done;
    std::thread other([&] {
        auto fiber = spawn([&] { return to_here.call([] { return 3; }); });
        bool went_on = false; // others go on while one waits
        auto beside = spawn([&] { went_on = true; });
        EXPECT_EQ(fiber.get(), 3);
        EXPECT_TRUE(went_on);
        done.set();
    });
    done.wait();
    other.join();
}

TEST(Portal, ToAHubThatHasEndedIsRefused) {
    portal nowhere(ended_hub());
    bool ran = false;
    EXPECT_EQ(error_of([&] { nowhere.call([&ran] { ran = true; }); }), ESRCH);
    EXPECT_FALSE(ran);
}

TEST(Portal, CancellingTheCallerCancelsTheCall) {
    event there;
    std::optional<portal> p;
    event ready;
    bool unwound = false;
    std::thread other([&] {
        p.emplace();
        ready.set();
        there.wait();
        p.reset();
    });
    ready.wait();
    bool local = false;
    event called;
    auto caller = spawn([&] {
        bool on_my_stack = false;
        const auto leave = [&] {
            called.set();
            try {
                tendril::this_fiber::sleep_for(1h);
            } catch (...) {
                on_my_stack = true;
                unwound = true;
                throw;
            }
        };
        try {
            p->call(leave);
        } catch (const tendril::cancelled&) {
            local = on_my_stack;
            throw;
        }
    });
    called.wait();
    caller.cancel("enough");
    caller.join();
    EXPECT_EQ(error_of([&] { caller.get(); }), ECANCELED);
    EXPECT_TRUE(unwound);
    EXPECT_TRUE(local);
    EXPECT_FALSE(
        tendril::move_on_after(1ms, [&] { p->call([] { tendril::this_fiber::sleep_for(1h); }); }));
    there.set();
    other.join();
}

TEST(Portal, CloseRefusesNewCallsAndWaitsForTheRest) {
    portal to_here;
    event go_on;
    event begun;
    event foreign_done;
    int got = 0;
    std::thread foreign([&] {
        got = to_here.call([&] {
            begun.set();
            go_on.wait();
            return 7;
        });
        foreign_done.set();
    });
    begun.wait();
    auto closer = spawn([&] { to_here.close(); });
    tendril::this_fiber::yield();
    EXPECT_FALSE(closer.ready());
    EXPECT_EQ(error_of([&] { to_here.call([] {}); }), ESRCH);
    EXPECT_FALSE(tendril::move_on_after(1ms, [&] { to_here.close(); }));
    go_on.set();
    closer.join();
    to_here.close();
    foreign_done.wait();
    foreign.join();
    EXPECT_EQ(got, 7);
}

TEST(Portal, ItsEndWaitsForCalls) {
    for (int i = 0; i < 50; ++i) {
        event begun;
        std::atomic<int> got{0};
        std::thread foreign;
        {
            portal to_here;
            foreign = std::thread([&] {
                got = to_here.call([&] {
                    begun.set();
                    tendril::this_fiber::yield();
                    return 7;
                });
            });
            begun.wait();
        }
        foreign.join();
        EXPECT_EQ(got, 7);
    }
}

TEST(Portal, ACallThatTheHubDoesNotFinishEnds) {
    std::optional<portal> p;
    event ready;
    event may_end;
    std::thread other([&] {
        p.emplace();
        ready.set();
        may_end.wait();
    });
    ready.wait();
    auto caller = spawn([&] { p->call([] { tendril::this_fiber::sleep_for(1h); }); });
    tendril::this_fiber::sleep_for(1ms);
    may_end.set();
    caller.join();
    EXPECT_EQ(error_of([&] { caller.get(); }), ECANCELED);
    other.join();
}

} // namespace
