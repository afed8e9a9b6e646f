// SPDX-License-Identifier: BSL-1.0
// A fiber is cancelled, or its time is over, at each of its waits in turn, for everything that
// fibers wait for each other with: nobody else is lost, nothing is delivered twice or not at all,
// and what was waited for can be used as before.
#include <tendril/tendril.hpp>

#include "lib/hub/fake_hub.hpp"
#include "support/injection.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

namespace tendril {
namespace {

using detail::fake_hub;
using detail::hub_core;
using test::ending;
using test::injection;

constexpr unsigned seeds = test::sanitized ? 100 : 1'000;
constexpr int rounds = 3;

class EachWait : public testing::TestWithParam<ending> {
protected:
    /// The scenario's victim waits at least once.
    static void in_each_run(const std::function<void(injection&)>& scenario) {
        const int waits = test::end_at_each_wait(
            GetParam(), seeds, [] { return watched_hub(); }, scenario);
        EXPECT_TRUE(waits > 0 || HasFailure()) << "the scenario tests nothing";
    }

private:
    /// On which a lost wake-up is an error, not a test that hangs.
    struct watched_hub : fake_hub {
        watched_hub() {
            (**this).look_for_deadlocks([]() noexcept { return true; });
        }
    };
};

INSTANTIATE_TEST_SUITE_P(By, EachWait, testing::Values(ending::cancel, ending::timeout),
                         test::name_of);

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

using std::chrono::milliseconds;
using this_fiber::sleep_for;
using this_fiber::yield;

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

// ------------------------------------------------------------------------------------ values

/// What was received by all together: each value once, in order.
class values {
public:
    void add(int v) { got_.push_back(v); }
    void expect_all(int count) const {
        std::vector<int> all(static_cast<std::size_t>(count));
        std::iota(all.begin(), all.end(), 0);
        EXPECT_EQ(got_, all);
    }
    std::size_t count() const { return got_.size(); }

private:
    std::vector<int> got_;
};

void receives(injection& i, std::size_t capacity) {
    channel<std::unique_ptr<int>> c(capacity);
    values got;
    const auto receive_all = [&] {
        while (const auto v = c.receive()) {
            got.add(**v);
        }
    };
    company others;
    others.add([&] {
        for (int n = 0; n < 2 * rounds; ++n) {
            c.send(std::make_unique<int>(n));
            if (n % 2 == 0) {
                yield();
            }
        }
        c.close();
    });
    i.run(receive_all);
    receive_all();
    got.expect_all(2 * rounds);
}

TEST_P(EachWait, OfAReceiver) {
    in_each_run([](injection& i) { receives(i, 0); });
    in_each_run([](injection& i) { receives(i, 2); });
}

/// A value whose send was cut short is still the sender's, and nobody has got it.
void sends(injection& i, std::size_t capacity) {
    channel<std::unique_ptr<int>> c(capacity);
    values got;
    int sent = 0;
    const auto send_all = [&] {
        for (; sent < 2 * rounds; ++sent) {
            c.send(std::make_unique<int>(sent));
        }
    };
    company others;
    others.add([&] {
        while (const auto v = c.receive()) {
            got.add(**v);
            yield();
            yield();
        }
    });
    i.run(send_all);
    send_all();
    c.close();
    while (got.count() < static_cast<std::size_t>(sent)) {
        yield();
    }
    got.expect_all(2 * rounds);
}

TEST_P(EachWait, OfASender) {
    in_each_run([](injection& i) { sends(i, 0); });
    in_each_run([](injection& i) { sends(i, 2); });
}

TEST_P(EachWait, OfASelection) {
    in_each_run([](injection& i) {
        channel<int> numbers;
        channel<int> answers(1);
        channel<int> silent;
        values got;
        int sent = 0;
        int answered = 0;
        company c;
        c.add([&] {
            for (; sent < 2 * rounds; ++sent) {
                numbers.send(sent);
            }
            numbers.close();
        });
        c.add([&] {
            while (answers.receive()) {
                ++answered;
            }
        });
        bool open = true;
        int offered = 0;
        const auto all = [&] {
            while (open) {
                select(on_receive(numbers,
                                  [&](std::optional<int> v) {
                                      open = v.has_value();
                                      if (v) {
                                          got.add(*v);
                                      }
                                  }),
                       on_receive(silent, [](std::optional<int>) { ADD_FAILURE(); }),
                       on_send(answers, 1, [&] { ++offered; }));
            }
        };
        i.run(all);
        all();
        answers.close();
        while (answered < offered) {
            yield();
        }
        got.expect_all(2 * rounds);
        EXPECT_EQ(answered, offered);
        EXPECT_FALSE(silent.try_send(1)) << "it has left somebody behind";
        EXPECT_FALSE(silent.try_receive());
    });
}

template <typename Queue>
void takes_from(injection& i) {
    Queue q;
    std::vector<int> got;
    company c;
    c.add([&] {
        for (int n = 0; n < 2 * rounds; ++n) {
            q.put(n);
            yield();
        }
        q.shutdown();
    });
    const auto take_all = [&] {
        while (const auto v = q.next()) {
            got.push_back(*v);
            q.task_done();
        }
    };
    i.run(take_all);
    take_all();
    std::sort(got.begin(), got.end());
    std::vector<int> all(2 * rounds);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(got, all);
    q.join();
}

TEST_P(EachWait, OfOneWhoTakesFromAQueue) {
    in_each_run(takes_from<queue<int>>);
    in_each_run(takes_from<lifo_queue<int>>);
    in_each_run(takes_from<priority_queue<int>>);
}

TEST_P(EachWait, OfOneWhoPutsIntoAFullQueue) {
    in_each_run([](injection& i) {
        queue<int> q(1);
        values got;
        int put = 0;
        const auto put_all = [&] {
            for (; put < 2 * rounds; ++put) {
                q.put(put);
            }
        };
        company c;
        c.add([&] {
            while (const auto v = q.next()) {
                got.add(*v);
                yield();
                yield();
                q.task_done();
            }
        });
        i.run(put_all);
        put_all();
        q.join();
        got.expect_all(2 * rounds);
        q.shutdown();
    });
}

TEST_P(EachWait, ForAQueueToBeDone) {
    in_each_run([](injection& i) {
        queue<int> q;
        company c;
        for (int n = 0; n < rounds; ++n) {
            q.put(n);
        }
        c.add([&] {
            while (const auto v = q.next()) {
                sleep_for(milliseconds(1));
                q.task_done();
            }
        });
        i.run([&] { q.join(); });
        q.join();
        q.shutdown();
    });
}

TEST_P(EachWait, OfAFuture) {
    in_each_run([](injection& i) {
        promise<int> p;
        const shared_future<int> result = p.get_future().share();
        packaged_task<int()> call([] {
            yield();
            return 4;
        });
        future<int> called = call.get_future();
        company c;
        c.add([&] {
            yield();
            p.set_value(3);
            call();
        });
        i.run([&] {
            EXPECT_EQ(result.get(), 3);
            called.wait();
        });
        EXPECT_EQ(result.get(), 3);
        EXPECT_EQ(called.get(), 4);
    });
}

/// The fiber that would have set it is the one that ends: no one waits in vain.
TEST_P(EachWait, OfOneWhoPromised) {
    in_each_run([](injection& i) {
        promise<int> p;
        future<int> result = p.get_future();
        const bool finished = i.run([&, mine = std::make_unique<promise<int>>(std::move(p))] {
            yield();
            sleep_for(milliseconds(1));
            mine->set_value(1);
        });
        try {
            EXPECT_EQ(result.get(), 1);
            EXPECT_TRUE(finished);
        } catch (const std::future_error& e) {
            EXPECT_EQ(e.code(), std::future_errc::broken_promise);
            EXPECT_FALSE(finished);
        }
    });
}

// ------------------------------------------------------------------------------------ fibers

TEST_P(EachWait, OfAJoin) {
    in_each_run([](injection& i) {
        fiber<int> f = spawn([] {
            for (int n = 0; n < rounds; ++n) {
                yield();
            }
            sleep_for(milliseconds(1));
            return 5;
        });
        fiber<int> g = spawn([] {
            sleep_for(milliseconds(2));
            return 6;
        });
        i.run([&] {
            f.join();
            static_cast<void>(g.join_until(hub_core::current().now() + milliseconds(5)));
            hub_core::current().drain();
        });
        EXPECT_EQ(f.get(), 5);
        EXPECT_EQ(g.get(), 6);
    });
}

TEST_P(EachWait, OfADrain) {
    in_each_run([](injection& i) {
        company c;
        c.add([] { sleep_for(milliseconds(2)); });
        i.run([] { hub::current().drain(); });
    });
}

/// What it owns ends, on its stack, in order; what must wait there is not disturbed.
TEST_P(EachWait, ThatUnwinds) {
    in_each_run([](injection& i) {
        std::vector<int> ended;
        event go;
        struct waits_at_the_end {
            std::vector<int>& ended;
            int number;
            event& go;
            ~waits_at_the_end() {
                const shield whole;
                go.wait();
                sleep_for(milliseconds(1));
                ended.push_back(number);
            }
        };
        company c;
        c.add([&] {
            sleep_for(milliseconds(5));
            go.set();
        });
        i.run([&] {
            static fiber_local<std::shared_ptr<int>> kept;
            *kept = std::make_shared<int>(1);
            const waits_at_the_end first{ended, 1, go};
            yield();
            const waits_at_the_end second{ended, 2, go};
            sleep_for(milliseconds(1));
        });
        EXPECT_TRUE(ended == std::vector<int>({2, 1}) || ended == std::vector<int>({1}));
    });
}

} // namespace
} // namespace tendril
