// SPDX-License-Identifier: BSL-1.0
// Boost.Fiber's fibers and ours on one hub: what each waits for, in the other library too.
#include <tendril/boost_fiber.hpp>
#include <tendril/tendril.hpp>

#include <boost/fiber/all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

namespace bf = boost::fibers;
using namespace std::chrono_literals;
using bf::launch;
using tendril::spawn;
using tendril::boost_fiber::call;
using tendril::boost_fiber::hub_algorithm;

/// Runs `body()` in the main flow of a new thread with our algorithm, and the thread to its end.
template <typename Body>
void with_guests(Body body) {
    std::thread([&body] {
        bf::use_scheduling_algorithm<hub_algorithm>();
        body();
    }).join();
}

template <typename Function>
bf::fiber start(Function function, launch how = launch::post) {
    return bf::fiber(how, std::move(function));
}

struct socket_pair {
    socket_pair() {
        std::array<int, 2> fds{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
        left = tendril::io::unique_fd(fds[0]);
        right = tendril::io::unique_fd(fds[1]);
    }
    tendril::io::unique_fd left, right;
};

char read_one(int fd) {
    char c = '?';
    EXPECT_EQ(tendril::io::read(fd, &c, 1), 1);
    return c;
}

void write_one(int fd, char c) {
    EXPECT_EQ(tendril::io::write(fd, &c, 1), 1);
}

// ----------------------------------------------------------------- Boost.Fiber works as it did

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

// -------------------------------------------------------------------- Boost fibers wait in Tendril

TEST(BoostFiber, WaitsAloneInIo) {
    with_guests([] {
        socket_pair there, back;
        std::string order;
        auto answers = start([&] {
            write_one(back.right.get(), read_one(there.left.get()));
            order += "answered ";
        });
        auto asks = start([&] {
            boost::this_fiber::yield(); // the other one waits
            order += "ask ";
            write_one(there.right.get(), 'x');
            EXPECT_EQ(read_one(back.left.get()), 'x');
        });
        auto hub_fiber = spawn([&] { order += "tendril "; });
        asks.join();
        answers.join();
        hub_fiber.join();
        EXPECT_NE(order.find("tendril"), std::string::npos);
        EXPECT_LT(order.find("ask"), order.find("answered"));
    });
}

TEST(BoostFiber, ServesAndConnects) {
    with_guests([] {
        using namespace tendril::net;
        auto listener = tcp_listener::listen("127.0.0.1:0");
        auto server = start([&] {
            for (int i = 0; i < 50; ++i) {
                start([peer = std::make_shared<tcp_stream>(listener.accept())] {
                    std::array<char, 16> buffer{};
                    while (const std::size_t n = peer->read_some(buffer.data(), buffer.size())) {
                        peer->write_all(buffer.data(), n);
                    }
                }).detach();
            }
        });
        const auto ask = [&] {
            auto stream = tcp_stream::connect(listener.local());
            stream.write_all("hello", 5);
            std::array<char, 5> answer{};
            stream.read_exactly(answer.data(), answer.size());
            EXPECT_EQ(std::string(answer.data(), answer.size()), "hello");
        };
        std::vector<bf::fiber> clients;
        std::vector<tendril::fiber<void>> hub_clients;
        for (int i = 0; i < 25; ++i) {
            clients.push_back(start(ask));
            hub_clients.push_back(spawn(ask));
        }
        for (auto& f : clients) {
            f.join();
        }
        for (auto& f : hub_clients) {
            f.join();
        }
        server.join();
    });
}

TEST(BoostFiber, AThousandWaitAtOnce) {
    with_guests([] {
        constexpr int count = 1000;
        int waiting = 0, woken = 0;
        tendril::event go;
        std::vector<bf::fiber> fibers;
        for (int i = 0; i < count; ++i) {
            fibers.push_back(start([&, i] {
                ++waiting;
                go.wait();
                tendril::this_fiber::sleep_for(std::chrono::microseconds(i % 7));
                boost::this_fiber::yield();
                ++woken;
            }));
        }
        while (waiting != count) {
            boost::this_fiber::yield();
        }
        EXPECT_EQ(woken, 0);
        go.set();
        for (auto& f : fibers) {
            f.join();
        }
        EXPECT_EQ(woken, count);
        EXPECT_EQ(tendril::hub::current().statistics().live, 0U);
    });
}

TEST(BoostFiber, MainFlowWaitsInEither) {
    with_guests([] {
        int ticks = 0;
        bool stop = false;
        auto hub_fiber = spawn([&] {
            while (!stop) {
                ++ticks;
                tendril::this_fiber::sleep_for(200us);
            }
        });
        start([&] { // in Boost.Fiber
            while (ticks < 5) {
                boost::this_fiber::sleep_for(200us);
            }
        })
            .join();
        auto boost_fiber = start([&] {
            boost::this_fiber::sleep_for(2ms);
            stop = true;
        });
        hub_fiber.join(); // in Tendril
        EXPECT_TRUE(stop);
        boost_fiber.join();
        tendril::this_fiber::sleep_for(1ms);
        tendril::hub::current().drain();
    });
}

TEST(BoostFiber, DrainsFromWithin) {
    with_guests([] {
        bool ended = false;
        start([&] {
            auto f = spawn([&] {
                tendril::this_fiber::sleep_for(2ms);
                ended = true;
            });
            tendril::hub::current().drain();
            EXPECT_TRUE(ended);
            f.join();
        }).join();
    });
}

TEST(BoostFiber, JoinsHubFibersAndTheirErrors) {
    with_guests([] {
        start([] {
            EXPECT_EQ(spawn([] { return 7; }).get(), 7);
            auto fails = spawn([] { throw std::runtime_error("no"); });
            EXPECT_THROW(fails.get(), std::runtime_error);
            auto sleeps = spawn([] { tendril::this_fiber::sleep_for(1h); });
            sleeps.cancel("enough");
            EXPECT_THROW(sleeps.get(), std::system_error);
        }).join();
    });
}

TEST(BoostFiber, UsesGroupsWorkersAndPosts) {
    with_guests([] {
        std::vector<bf::fiber> fibers;
        fibers.push_back(start([] {
            int sum = 0;
            tendril::with_task_group([&](tendril::task_group& group) {
                for (int i = 1; i <= 3; ++i) {
                    group.spawn([&sum, i] {
                        tendril::this_fiber::sleep_for(1ms);
                        sum += i;
                    });
                }
            });
            EXPECT_EQ(sum, 6);
        }));
        fibers.push_back(start([] {
            EXPECT_EQ(tendril::offload([] { return 8; }), 8);
            tendril::event never, soon;
            auto sets = spawn([&] { soon.set(); });
            EXPECT_EQ(tendril::wait_any(never, soon), 1U);
            sets.join();
        }));
        for (auto& f : fibers) {
            f.join();
        }
    });
}

TEST(BoostFiber, LeavesFibersToBeListed) {
    with_guests([] {
        auto sleeps = spawn({"sleeper"}, [] { tendril::this_fiber::sleep_for(1h); });
        auto guest = start([] { tendril::this_fiber::sleep_for(1ms); });
        boost::this_fiber::sleep_for(1ms);
        start([] {
            const auto all = tendril::fibers();
            ASSERT_EQ(all.size(), 2U); // the main flow and Tendril's fiber; Boost knows of its own
            EXPECT_EQ(all[1].name, "sleeper");
        }).join();
        guest.join();
        sleeps.cancel();
        sleeps.join();
    });
}

// --------------------------------------------------------------------------- they wake each other

TEST(BoostFiber, TalksOverTendrilsChannel) {
    with_guests([] {
        tendril::channel<int> up, down;
        auto hub_fiber = spawn([&] {
            for (const int n : up) {
                down.send(n + 1);
            }
            down.close();
        });
        auto boost_fiber = start([&] {
            for (int i = 0; i < 100; ++i) {
                up.send(i);
                EXPECT_EQ(down.receive(), i + 1);
            }
            up.close();
        });
        boost_fiber.join();
        hub_fiber.join();
    });
}

TEST(BoostFiber, TalksOverBoostsChannel) {
    with_guests([] {
        bf::unbuffered_channel<int> up;
        bf::buffered_channel<int> down(2);
        auto boost_fiber = start([&] {
            for (const int n : up) {
                down.push(n + 1);
            }
        });
        auto hub_fiber = spawn([&] {
            for (int i = 0; i < 100; ++i) {
                call([&] { up.push(i); });
                EXPECT_EQ(call([&] { return down.value_pop(); }), i + 1);
            }
            up.close();
        });
        boost_fiber.join();
        hub_fiber.join();
    });
}

TEST(BoostFiber, IsWokenWithoutWaitingByHubFibers) {
    with_guests([] {
        bf::promise<int> promise;
        auto result = promise.get_future();
        bf::mutex mutex;
        bf::condition_variable changed;
        bool ready = false;
        bf::buffered_channel<int> numbers(2);
        auto hub_fiber = spawn([&] {
            tendril::this_fiber::sleep_for(1ms);
            promise.set_value(1);
            tendril::this_fiber::sleep_for(1ms);
            EXPECT_EQ(numbers.try_push(2), bf::channel_op_status::success);
            tendril::this_fiber::sleep_for(1ms);
            ready = true;
            changed.notify_one();
            start([&] { numbers.push(3); }).detach();
        });
        EXPECT_EQ(result.get(), 1);
        EXPECT_EQ(numbers.value_pop(), 2);
        std::unique_lock<bf::mutex> lock(mutex);
        changed.wait(lock, [&] { return ready; });
        EXPECT_EQ(numbers.value_pop(), 3);
        hub_fiber.join();
    });
}

TEST(BoostFiber, SharesTendrilsSync) {
    with_guests([] {
        tendril::mutex mutex;
        tendril::recursive_mutex recursive;
        tendril::counting_semaphore<> permits(0);
        std::string order;
        const auto work = [&](char who) {
            const std::lock_guard<tendril::mutex> lock(mutex);
            order += who;
            tendril::this_fiber::sleep_for(1ms); // the others queue up
            order += who;
        };
        auto a = start([&] { work('a'); });
        auto b = spawn([&] { work('b'); });
        auto c = start([&] { work('c'); });
        a.join();
        b.join();
        c.join();
        for (const char who : {'a', 'b', 'c'}) {
            EXPECT_NE(order.find(std::string(2, who)), std::string::npos) << order;
        }
        recursive.lock();
        start([&] {
            EXPECT_FALSE(recursive.try_lock());
            permits.release();
        }).join();
        permits.acquire();
        recursive.unlock();
    });
}

TEST(BoostFiber, CallReturnsAndThrows) {
    EXPECT_THROW(call([] {}), std::system_error); // this thread has no guests
    with_guests([] {
        EXPECT_EQ(call([] { return 1; }), 1);
        auto hub_fiber = spawn([] {
            int here = 0;
            call([&] {
                boost::this_fiber::sleep_for(1ms);
                call([&] { here = 2; });
            });
            EXPECT_EQ(here, 2);
            EXPECT_THROW(call([] { throw std::runtime_error("no"); }), std::runtime_error);
        });
        hub_fiber.join();
        bool ended = false;
        auto cancelled = spawn([&] {
            call([&] {
                boost::this_fiber::sleep_for(5ms);
                ended = true;
            });
            tendril::this_fiber::sleep_for(1h);
        });
        boost::this_fiber::yield();
        cancelled.cancel();
        EXPECT_THROW(cancelled.get(), std::system_error);
        EXPECT_TRUE(ended);
    });
}

TEST(BoostFiber, SpinningOneKindLetsTheOtherRun) {
    with_guests([] {
        bool stop = false;
        socket_pair pair;
        auto boost_spins = start([&] {
            while (!stop) {
                boost::this_fiber::yield();
            }
        });
        auto tendril_spins = start([&] {
            while (!stop) {
                tendril::this_fiber::yield();
            }
        });
        auto hub_spins = spawn([&] {
            while (!stop) {
                tendril::this_fiber::yield();
            }
        });
        auto reads = spawn([&] { return read_one(pair.left.get()); });
        auto boost_reads = start([&] {
            tendril::this_fiber::sleep_for(1ms);
            boost::this_fiber::sleep_for(1ms);
            write_one(pair.left.get(), read_one(pair.left.get()));
            stop = true;
        });
        write_one(pair.right.get(), 'a');
        EXPECT_EQ(reads.get(), 'a');
        write_one(pair.right.get(), 'b');
        EXPECT_EQ(read_one(pair.right.get()), 'b');
        boost_reads.join();
        boost_spins.join();
        tendril_spins.join();
        hub_spins.join();
    });
}

// ------------------------------------------------------------------------------- across threads

TEST(BoostFiber, IsWokenByOtherThreads) {
    with_guests([] {
        for (int round = 0; round < 100; ++round) {
            bf::promise<int> promise;
            tendril::event event;
            std::atomic<bool> waits{false};
            auto in_boost = start([&] { EXPECT_EQ(promise.get_future().get(), 1); });
            auto in_tendril = start([&] {
                waits = true;
                event.wait();
            });
            std::thread plain([&] {
                promise.set_value(1);
                while (!waits) {
                    std::this_thread::yield();
                }
                event.set();
            });
            in_boost.join();
            in_tendril.join();
            plain.join();
        }
    });
}

TEST(BoostFiber, IsWokenByOtherHubs) {
    with_guests([] {
        tendril::channel<int> up, down;
        std::thread other([&] {
            auto echo = spawn([&] {
                for (const int n : up) {
                    down.send(n);
                }
            });
            echo.join();
        });
        std::vector<bf::fiber> fibers;
        tendril::mutex one_at_a_time;
        for (int i = 0; i < 10; ++i) {
            fibers.push_back(start([&, i] {
                for (int k = 0; k < 50; ++k) {
                    const std::lock_guard<tendril::mutex> lock(one_at_a_time);
                    up.send(i);
                    EXPECT_EQ(down.receive(), i);
                }
            }));
        }
        for (auto& f : fibers) {
            f.join();
        }
        up.close();
        other.join();
    });
}

TEST(BoostFiber, TwoThreadsOfGuestsTalk) {
    bf::buffered_channel<int> up(2), down(2);
    std::thread other([&] {
        with_guests([&] {
            start([&] {
                for (const int n : up) {
                    down.push(n + 1);
                }
                down.close();
            }).join();
        });
    });
    with_guests([&] {
        start([&] {
            for (int i = 0; i < 200; ++i) {
                up.push(i);
                EXPECT_EQ(down.value_pop(), i + 1);
            }
            up.close();
        }).join();
    });
    other.join();
}

TEST(BoostFiber, SpawnsFromOtherThreads) {
    with_guests([] {
        const tendril::hub here = tendril::hub::current();
        bf::promise<int> promise;
        std::thread other([&] { promise.set_value(spawn(here, {}, [] { return 5; }).get()); });
        EXPECT_EQ(promise.get_future().get(), 5); // the hub sleeps meanwhile
        other.join();
    });
}

// ------------------------------------------------------------------------ limits, and what is its
// own

TEST(BoostFiber, TimeoutsEndWaits) {
    with_guests([] {
        socket_pair pair;
        std::vector<bf::fiber> fibers;
        fibers.push_back(start([&] {
            EXPECT_FALSE(tendril::move_on_after(2ms, [&] { read_one(pair.left.get()); }));
        }));
        fibers.push_back(start([&] {
            tendril::timeout outer(2ms);
            try {
                tendril::timeout inner(1h);
                tendril::this_fiber::sleep_for(1h);
                FAIL() << "went on";
            } catch (const tendril::timed_out& t) {
                EXPECT_TRUE(t.is(outer));
            }
            EXPECT_THROW(tendril::this_fiber::sleep_for(1h), tendril::timed_out);
            const tendril::shield finish;
            tendril::this_fiber::sleep_for(1ms);
        }));
        fibers.push_back(start([&] {
            // Boost.Fiber's own waits know nothing of it.
            tendril::timeout limit(1ms);
            boost::this_fiber::sleep_for(4ms);
            EXPECT_TRUE(limit.expired());
            EXPECT_THROW(tendril::this_fiber::yield(), tendril::timed_out);
        }));
        fibers.push_back(start([&] {
            tendril::mutex mutex;
            tendril::event holds, end;
            auto holder = spawn([&] {
                const std::lock_guard<tendril::mutex> lock(mutex);
                holds.set();
                end.wait();
            });
            holds.wait();
            EXPECT_FALSE(mutex.try_lock_for(1ms));
            EXPECT_FALSE(holder.join_for(1ms));
            end.set();
            holder.join();
        }));
        for (auto& f : fibers) {
            f.join();
        }
        tendril::timeout of_main(1ms);
        EXPECT_THROW(tendril::this_fiber::sleep_for(1h), tendril::timed_out);
    });
}

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

// ------------------------------------------------------------------------------ begin and end

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
