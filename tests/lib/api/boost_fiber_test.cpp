// SPDX-License-Identifier: BSL-1.0
// Boost.Fiber works on a hub as it did; what is each fiber's own; begin, end, and what is refused.
#include <tendril/boost_fiber.hpp>
#include <tendril/tendril.hpp>

#include "support/boost_guests.hpp"

#include <boost/fiber/all.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using bf::launch;
using tendril::spawn;
using tendril::boost_fiber::hub_algorithm;

TEST(BoostFiber, MutexAndConditionVariable) {
    with_guests([] {
        bf::mutex mutex;
        bf::condition_variable changed;
        int turns = 0;
        const auto take_turns = [&](int rest) {
            for (int i = 0; i < 100; ++i) {
                std::unique_lock<bf::mutex> lock(mutex);
                changed.wait(lock, [&] { return turns % 2 == rest; });
                ++turns;
                changed.notify_all();
            }
        };
        auto even = start([&] { take_turns(0); });
        auto odd = start([&] { take_turns(1); });
        even.join();
        odd.join();
        EXPECT_EQ(turns, 200);
        std::unique_lock<bf::mutex> lock(mutex);
        EXPECT_EQ(changed.wait_for(lock, 2ms), bf::cv_status::timeout);
    });
}

TEST(BoostFiber, TimedAndRecursiveMutexes) {
    with_guests([] {
        bf::timed_mutex timed;
        bf::recursive_mutex recursive;
        timed.lock();
        auto other = start([&] {
            EXPECT_FALSE(timed.try_lock_for(2ms));
            EXPECT_FALSE(recursive.try_lock());
        });
        const std::lock_guard<bf::recursive_mutex> once(recursive);
        const std::lock_guard<bf::recursive_mutex> twice(recursive);
        other.join();
        timed.unlock();
        EXPECT_TRUE(timed.try_lock_for(1h));
        timed.unlock();
    });
}

TEST(BoostFiber, Channels) {
    with_guests([] {
        bf::buffered_channel<int> numbers(4);
        bf::unbuffered_channel<int> squares;
        auto source = start([&] {
            for (int i = 0; i < 100; ++i) {
                numbers.push(i);
            }
            numbers.close();
        });
        auto square = start([&] {
            for (const int n : numbers) {
                squares.push(n * n);
            }
            squares.close();
        });
        int sum = 0;
        for (const int n : squares) {
            sum += n;
        }
        EXPECT_EQ(sum, 328350);
        source.join();
        square.join();
    });
}

TEST(BoostFiber, FuturesAndBarrier) {
    with_guests([] {
        bf::barrier all(3);
        std::vector<bf::future<int>> results;
        for (int i = 0; i < 3; ++i) {
            results.push_back(bf::async(launch::post, [&all, i] {
                all.wait();
                return i;
            }));
        }
        int sum = 0;
        for (auto& result : results) {
            sum += result.get();
        }
        EXPECT_EQ(sum, 3);
        bf::promise<int> never_kept;
        EXPECT_EQ(never_kept.get_future().wait_for(1ms), bf::future_status::timeout);
        auto broken = bf::async(launch::dispatch, []() -> int { throw std::runtime_error("no"); });
        EXPECT_THROW(broken.get(), std::runtime_error);
    });
}

TEST(BoostFiber, SleepsInOrder) {
    with_guests([] {
        std::string woken;
        std::vector<bf::fiber> sleepers;
        const auto now = std::chrono::steady_clock::now();
        for (const int ms : {9, 3, 6}) {
            sleepers.push_back(start([&woken, now, ms] {
                boost::this_fiber::sleep_until(now + std::chrono::milliseconds(ms));
                woken += static_cast<char>('0' + ms);
            }));
        }
        for (auto& f : sleepers) {
            f.join();
        }
        EXPECT_EQ(woken, "369");
    });
}

TEST(BoostFiber, BeginsAtOnceOrLater) {
    with_guests([] {
        std::string order;
        auto later = start([&] { order += "later "; });
        auto at_once = start(
            [&] {
                order += "at once ";
                tendril::this_fiber::sleep_for(1ms);
                order += "slept ";
            },
            launch::dispatch);
        order += "main ";
        auto in_fiber = start(
            [&] {
                start([&] { order += "inner "; }, launch::dispatch).join();
                order += "outer ";
            },
            launch::dispatch);
        later.join();
        in_fiber.join();
        at_once.join();
        EXPECT_EQ(order, "at once later main inner outer slept ");
    });
}

TEST(BoostFiber, KeepsSpecificPointers) {
    with_guests([] {
        static int destroyed = 0;
        destroyed = 0;
        bf::fiber_specific_ptr<int> own([](int* p) {
            ++destroyed;
            delete p;
        });
        std::vector<bf::fiber> fibers;
        for (int i = 0; i < 3; ++i) {
            fibers.push_back(start([&own, i] {
                own.reset(new int(i));
                tendril::this_fiber::sleep_for(1ms);
                EXPECT_EQ(*own, i);
            }));
        }
        for (auto& f : fibers) {
            f.join();
        }
        EXPECT_EQ(destroyed, 3);
    });
}

// ------------------------------------------------------------------------------ begin and end

TEST(BoostFiber, OwnErrnoAndExceptions) {
    with_guests([] {
        std::vector<bf::fiber> fibers;
        for (int i = 1; i <= 4; ++i) {
            fibers.push_back(start(
                [i] {
                    const std::string own = "exception " + std::to_string(i);
                    for (int round = 0; round < 20; ++round) {
                        try {
                            throw std::runtime_error(own);
                        } catch (const std::exception&) {
                            errno = i;
                            if (i % 2 == 0) {
                                tendril::this_fiber::sleep_for(std::chrono::microseconds(50 * i));
                            } else {
                                boost::this_fiber::sleep_for(std::chrono::microseconds(50 * i));
                            }
                            EXPECT_EQ(errno, i);
                            try {
                                throw;
                            } catch (const std::runtime_error& e) {
                                EXPECT_EQ(e.what(), own);
                            }
                        }
                        EXPECT_EQ(std::uncaught_exceptions(), 0);
                    }
                },
                i < 3 ? launch::post : launch::dispatch));
        }
        errno = 99;
        for (auto& f : fibers) {
            f.join();
        }
        EXPECT_EQ(errno, 99);
    });
}

struct counted {
    static inline int alive = 0;
    counted() { ++alive; }
    ~counted() { --alive; }
    int value = 0;
};

TEST(BoostFiber, OwnLocalsAndIds) {
    with_guests([] {
        tendril::fiber_local<counted> local;
        const std::uint64_t main_id = tendril::this_fiber::id();
        std::vector<std::uint64_t> ids;
        {
            std::vector<bf::fiber> fibers;
            for (int i = 1; i <= 3; ++i) {
                fibers.push_back(start([&, i] {
                    local->value = i;
                    boost::this_fiber::yield();
                    tendril::this_fiber::sleep_for(1ms);
                    EXPECT_EQ(local->value, i);
                    EXPECT_EQ(tendril::this_fiber::name(), "");
                    ids.push_back(tendril::this_fiber::id());
                }));
            }
            for (auto& f : fibers) {
                f.join();
            }
        }
        EXPECT_FALSE(local.has_value());
        boost::this_fiber::sleep_for(1ms);
        EXPECT_EQ(counted::alive, 0);
        ASSERT_EQ(ids.size(), 3U);
        EXPECT_NE(ids[0], ids[1]);
        EXPECT_NE(ids[1], ids[2]);
        EXPECT_NE(ids[0], main_id);
        EXPECT_EQ(tendril::this_fiber::id(), main_id);
        EXPECT_EQ(tendril::this_fiber::name(), "main");
    });
}

TEST(BoostFiber, TakesOverWhatRunsAlready) {
    std::thread([] {
        std::string order;
        auto before = start([&] { order += "boost "; });
        auto hub_fiber = spawn([&] { order += "tendril "; });
        bf::use_scheduling_algorithm<hub_algorithm>();
        before.join();
        hub_fiber.join();
        EXPECT_EQ(order.size(), 14U) << order;
    }).join();
}

TEST(BoostFiber, GivesTheThreadBack) {
    with_guests([] {
        start([] { tendril::this_fiber::sleep_for(1ms); }).join();
        boost::this_fiber::yield();
        bf::use_scheduling_algorithm<bf::algo::round_robin>();
        start([] { boost::this_fiber::sleep_for(1ms); }).join();
        spawn([] { tendril::this_fiber::sleep_for(1ms); }).join();
        bf::use_scheduling_algorithm<hub_algorithm>();
        start([] { tendril::this_fiber::sleep_for(1ms); }).join();
    });
}

TEST(BoostFiber, ThreadEndsWhenItsFibersHave) {
    for (const bool hub_first : {false, true}) {
        int ended = 0;
        std::thread([&] {
            if (hub_first) {
                tendril::hub::current();
            }
            bf::use_scheduling_algorithm<hub_algorithm>();
            start([&] {
                tendril::this_fiber::sleep_for(2ms);
                boost::this_fiber::sleep_for(1ms);
                ++ended;
            }).detach();
            spawn([&] {
                tendril::this_fiber::sleep_for(5ms);
                ++ended;
            }).detach();
        }).join();
        EXPECT_EQ(ended, 2);
    }
}

TEST(BoostFiber, HubsAreUsedAgain) {
    for (int i = 0; i < 20; ++i) {
        with_guests(
            [] { start([] { spawn([] { tendril::this_fiber::yield(); }).join(); }).join(); });
        std::thread([] { spawn([] { tendril::this_fiber::yield(); }).join(); }).join();
    }
}

TEST(BoostFiber, OnlyTheOneThatForksGoesOn) {
    with_guests([] {
        bool other_ran = false;
        tendril::event go;
        auto waits = start([&] {
            go.wait();
            other_ran = true;
        });
        start([&] {
            tendril::this_fiber::sleep_for(1ms);
            const pid_t child = ::fork();
            if (child == 0) {
                go.set();
                tendril::this_fiber::sleep_for(1ms);
                boost::this_fiber::sleep_for(1ms);
                int answer = spawn([] { return 3; }).get();
                auto more = start([&] { ++answer; });
                more.join();
                ::_exit(other_ran ? 1 : answer);
            }
            int status = 0;
            EXPECT_EQ(::waitpid(child, &status, 0), child);
            EXPECT_TRUE(WIFEXITED(status));
            EXPECT_EQ(WEXITSTATUS(status), 4);
            go.set();
        }).join();
        waits.join();
        spawn([] { // its child has no Boost fibers
            const pid_t child = ::fork();
            if (child == 0) {
                tendril::this_fiber::sleep_for(1ms);
                ::_exit(5);
            }
            int status = 0;
            EXPECT_EQ(::waitpid(child, &status, 0), child);
            EXPECT_EQ(WEXITSTATUS(status), 5);
        })
            .join();
    });
}

// ---------------------------------------------------------------------------------- refused

class BoostFiberRefuses : public testing::Test {
protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(BoostFiberRefuses, HubFibersThatWaitInBoost) {
    EXPECT_DEATH(with_guests([] { spawn([] { boost::this_fiber::sleep_for(1ms); }).join(); }),
                 "a Tendril fiber waits in Boost.Fiber.*boost_fiber::call");
    EXPECT_DEATH(with_guests([] {
                     bf::unbuffered_channel<int> channel;
                     spawn([&] { channel.push(1); }).join();
                 }),
                 "a Tendril fiber waits in Boost.Fiber");
    EXPECT_DEATH(with_guests([] { spawn([] { start([] {}, launch::dispatch).join(); }).join(); }),
                 "a Tendril fiber starts a Boost fiber by launch::dispatch");
}

TEST_F(BoostFiberRefuses, ToBeginElsewhereThanInTheMainFlow) {
    EXPECT_DEATH(std::thread([] {
                     spawn([] { bf::use_scheduling_algorithm<hub_algorithm>(); }).join();
                 }).join(),
                 "in the thread's main flow");
    EXPECT_DEATH(std::thread([] {
                     start([] { bf::use_scheduling_algorithm<hub_algorithm>(); }).join();
                 }).join(),
                 "this is a Boost fiber");
    EXPECT_DEATH(with_guests([] { bf::use_scheduling_algorithm<hub_algorithm>(); }),
                 "run on its hub already");
}

TEST_F(BoostFiberRefuses, ToBeReplacedWhileFibersLive) {
    EXPECT_DEATH(with_guests([] {
                     auto waits = start([] { tendril::this_fiber::sleep_for(1h); });
                     boost::this_fiber::yield();
                     bf::use_scheduling_algorithm<bf::algo::round_robin>();
                 }),
                 "1 Boost.Fiber fibers live while");
}

/// Hands the fiber that it is asked for to another thread, as an algorithm that steals would.
TEST_F(BoostFiberRefuses, StolenFibers) {
    EXPECT_DEATH(with_guests([] {
                     bf::context* fiber = nullptr;
                     auto stolen = start([&] {
                         fiber = bf::context::active();
                         fiber->suspend();
                     });
                     boost::this_fiber::yield();
                     fiber->detach();
                     std::thread([&] {
                         bf::use_scheduling_algorithm<hub_algorithm>();
                         bf::context::active()->attach(fiber);
                         bf::context::active()->schedule(fiber);
                     }).join();
                 }),
                 "a Boost fiber of another thread was taken.*no work is stolen");
}

} // namespace
