// SPDX-License-Identifier: BSL-1.0
// Locks and conditions, with a fiber that is ended at each of its waits in turn.
#include "lib/sync/each_wait.hpp"

#include <mutex>
#include <vector>

namespace tendril {
namespace {

using detail::hub_core;
using std::chrono::milliseconds;
using test::company;
using test::injection;
using this_fiber::sleep_for;
using this_fiber::yield;

constexpr int rounds = 3;

class EachWait : public test::each_wait {};

INSTANTIATE_TEST_SUITE_P(By, EachWait, test::each_ending, test::name_of);

// ------------------------------------------------------------------------------------- locks

/// Locking cannot be cancelled; what is done with the lock held can.
template <typename Mutex>
void locks(injection& i) {
    Mutex m;
    int inside = 0;
    int done = 0;
    const auto work = [&] {
        for (int n = 0; n < rounds; ++n) {
            const std::lock_guard<Mutex> lock(m);
            EXPECT_EQ(++inside, 1);
            struct leave {
                int& inside;
                ~leave() { --inside; }
            } const left{inside};
            sleep_for(milliseconds(1));
            ++done;
        }
    };
    int others = 0;
    {
        company c;
        for (int n = 0; n < 2; ++n) {
            c.add([&] {
                work();
                ++others;
            });
        }
        i.run(work);
    }
    EXPECT_EQ(others, 2);
    EXPECT_GE(done, 2 * rounds);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

TEST_P(EachWait, OfAMutex) {
    in_each_run(locks<mutex>);
}

TEST_P(EachWait, OfARecursiveMutex) {
    in_each_run(locks<recursive_mutex>);
}

TEST_P(EachWait, OfASharedMutexHeldAlone) {
    in_each_run(locks<shared_mutex>);
}

TEST_P(EachWait, OfAMutexForALimitedTime) {
    in_each_run([](injection& i) {
        mutex m;
        int got = 0;
        company c;
        c.add([&] {
            for (int n = 0; n < 2 * rounds; ++n) {
                const std::lock_guard<mutex> lock(m);
                sleep_for(milliseconds(3));
            }
        });
        i.run([&] {
            for (int n = 0; n < rounds; ++n) {
                std::unique_lock<mutex> lock(m, std::defer_lock);
                if (lock.try_lock_until(detail::hub_core::current().now() + milliseconds(2))) {
                    ++got;
                    yield();
                }
            }
        });
        EXPECT_LE(got, rounds);
        m.lock();
        m.unlock();
    });
}

TEST_P(EachWait, OfASharedMutex) {
    in_each_run([](injection& i) {
        shared_mutex m;
        int readers = 0;
        int writers = 0;
        {
            company c;
            const auto reads = [&] {
                for (int n = 0; n < rounds; ++n) {
                    m.lock_shared();
                    ++readers;
                    EXPECT_EQ(writers, 0);
                    struct leave {
                        shared_mutex& m;
                        int& readers;
                        ~leave() {
                            --readers;
                            m.unlock_shared();
                        }
                    } const left{m, readers};
                    sleep_for(milliseconds(1));
                }
            };
            const auto writes = [&] {
                for (int n = 0; n < rounds; ++n) {
                    const std::lock_guard<shared_mutex> lock(m);
                    EXPECT_EQ(readers, 0);
                    EXPECT_EQ(++writers, 1);
                    sleep_for(milliseconds(1));
                    --writers;
                }
            };
            c.add(reads);
            c.add(writes);
            i.run(reads);
        }
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

TEST_P(EachWait, OfOnce) {
    in_each_run([](injection& i) {
        once_flag flag;
        int begun = 0;
        int done = 0;
        int passed = 0;
        const auto calls = [&] {
            call_once(flag, [&] {
                ++begun;
                sleep_for(milliseconds(1)); // who is ended here leaves it to the next
                yield();
                ++done;
            });
            EXPECT_EQ(done, 1);
            ++passed;
        };
        bool finished = false;
        {
            company c;
            c.add(calls);
            finished = i.run(calls);
            c.add(calls);
        }
        EXPECT_EQ(passed, finished ? 3 : 2);
        EXPECT_LE(begun, 2);
    });
}

// -------------------------------------------------------------------------------- conditions

template <typename Mutex, typename Condition>
void items_through_a_condition(injection& i) {
    Mutex m;
    Condition more;
    std::vector<int> items;
    std::vector<int> taken;
    bool over = false;
    const auto takes = [&] {
        std::unique_lock<Mutex> lock(m);
        for (;;) {
            more.wait(lock, [&] { return over || !items.empty(); });
            EXPECT_TRUE(lock.owns_lock());
            if (items.empty()) {
                return;
            }
            taken.push_back(items.front());
            items.erase(items.begin());
        }
    };
    {
        company c;
        c.add(takes);
        c.add([&] {
            for (int n = 0; n < 2 * rounds; ++n) {
                {
                    const std::lock_guard<Mutex> lock(m);
                    items.push_back(n);
                }
                more.notify_one();
                yield();
                yield();
            }
            const std::lock_guard<Mutex> lock(m);
            over = true;
            more.notify_all();
        });
        i.run([&] {
            try {
                takes();
            } catch (...) {
                // As of std: whoever was notified and gives up passes it on.
                more.notify_one();
                throw;
            }
        });
    }
    std::vector<int> all(2 * rounds);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(taken, all);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

TEST_P(EachWait, OfAConditionVariable) {
    in_each_run(items_through_a_condition<mutex, condition_variable>);
}

TEST_P(EachWait, OfAConditionVariableAny) {
    in_each_run(items_through_a_condition<recursive_mutex, condition_variable_any>);
}

/// A notification goes to one who is still there: nobody needs to pass it on.
TEST_P(EachWait, OfAConditionVariableLosesNoNotification) {
    in_each_run([](injection& i) {
        mutex m;
        condition_variable more;
        int tokens = 0;
        int used = 0;
        const auto uses = [&] {
            std::unique_lock<mutex> lock(m);
            while (tokens == 0) {
                more.wait(lock);
            }
            --tokens;
            ++used;
        };
        company c;
        bool finished = false;
        c.add([&] {
            finished = i.run(uses);
            if (!finished) { // its notification, had it been spent on it
                uses();
            }
        });
        c.add(uses);
        for (int n = 0; n < 2; ++n) {
            sleep_for(milliseconds(1));
            const std::lock_guard<mutex> lock(m);
            ++tokens;
            more.notify_one();
        }
        while (used != 2) {
            sleep_for(milliseconds(1));
        }
    });
}

TEST_P(EachWait, OfASemaphore) {
    in_each_run([](injection& i) {
        counting_semaphore<> permits(2);
        int inside = 0;
        const auto work = [&] {
            for (int n = 0; n < rounds; ++n) {
                permits.acquire();
                struct leave {
                    counting_semaphore<>& permits;
                    int& inside;
                    ~leave() {
                        --inside;
                        permits.release();
                    }
                } const left{permits, inside};
                EXPECT_LE(++inside, 2);
                yield();
            }
        };
        {
            company c;
            for (int n = 0; n < 3; ++n) {
                c.add(work);
            }
            i.run(work);
        }
        EXPECT_TRUE(permits.try_acquire());
        EXPECT_TRUE(permits.try_acquire());
        EXPECT_FALSE(permits.try_acquire());
    });
}

TEST_P(EachWait, OfAnEvent) {
    in_each_run([](injection& i) {
        event ping;
        event pong;
        int others = 0;
        company c;
        c.add([&] {
            for (int n = 0; n < rounds; ++n) {
                yield();
                ping.set();
                yield();
                ping.clear();
            }
            ping.set();
        });
        c.add([&] {
            ping.wait();
            ++others;
            pong.set();
        });
        i.run([&] {
            ping.wait();
            pong.wait();
        });
        pong.wait();
        EXPECT_EQ(others, 1);
        EXPECT_FALSE(event().wait_until(hub_core::current().now() + milliseconds(1)));
    });
}

TEST_P(EachWait, OfALatch) {
    in_each_run([](injection& i) {
        latch l(3);
        company c;
        for (int n = 0; n < 2; ++n) {
            c.add([&] {
                yield();
                l.arrive_and_wait();
            });
        }
        i.run([&] { l.arrive_and_wait(); }); // it has arrived, whatever becomes of its wait
        l.wait();
        EXPECT_TRUE(l.try_wait());
    });
}

TEST_P(EachWait, OfABarrier) {
    in_each_run([](injection& i) {
        int phases = 0;
        const auto count = [&]() noexcept { ++phases; };
        barrier<decltype(count)> b(3, count);
        {
            company c;
            for (int n = 0; n < 2; ++n) {
                c.add([&] {
                    for (int p = 0; p < rounds; ++p) {
                        b.arrive_and_wait();
                    }
                });
            }
            int arrived = 0;
            if (!i.run([&] {
                    for (; arrived < rounds;) {
                        auto token = b.arrive();
                        ++arrived;
                        b.wait(std::move(token));
                    }
                })) { // it has arrived all the same, so it must not arrive again before the next
                      // phase
                for (; arrived < rounds; ++arrived) {
                    while (phases < arrived) {
                        yield();
                    }
                    b.arrive_and_wait();
                }
            }
        }
        EXPECT_EQ(phases, rounds);
    });
}

} // namespace
} // namespace tendril
