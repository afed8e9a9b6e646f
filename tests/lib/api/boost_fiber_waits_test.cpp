// SPDX-License-Identifier: BSL-1.0
// Boost.Fiber's fibers on a hub wait in what is Tendril's, and its fibers in Boost.Fiber.
#include <tendril/boost_fiber.hpp>
#include <tendril/tendril.hpp>

#include "support/boost_guests.hpp"

#include <boost/fiber/all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using bf::launch;
using tendril::spawn;
using tendril::boost_fiber::call;

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

// ------------------------------------------------------------------------------------- limits

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

} // namespace
