// SPDX-License-Identifier: BSL-1.0
// Boost.Fiber's fibers on a hub and other threads: hubs, guests of theirs, and plain ones.
#include <tendril/boost_fiber.hpp>
#include <tendril/tendril.hpp>

#include "support/boost_guests.hpp"

#include <boost/fiber/all.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::spawn;

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

} // namespace
