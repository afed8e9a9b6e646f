// SPDX-License-Identifier: BSL-1.0
// What is wrong has a defined answer; and what becomes of those who wait when their thread ends.
#include <tendril/barrier.hpp>
#include <tendril/cancel.hpp>
#include <tendril/channel.hpp>
#include <tendril/condition_variable.hpp>
#include <tendril/event.hpp>
#include <tendril/fiber.hpp>
#include <tendril/latch.hpp>
#include <tendril/mutex.hpp>
#include <tendril/once.hpp>
#include <tendril/queue.hpp>
#include <tendril/select.hpp>
#include <tendril/semaphore.hpp>
#include <tendril/shared_mutex.hpp>

#include "support/leaks.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace tendril {
namespace {

using std::chrono::milliseconds;

// Before any hub reads it: threads that end abandon their fibers at once.
[[maybe_unused]] const int grace = ::setenv("TENDRIL_EXIT_GRACE_MS", "0", 1);

template <typename Function>
void expect_error(int expected, Function function) {
    try {
        function();
        ADD_FAILURE() << "nothing thrown";
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), expected) << e.what();
    }
}

TEST(Misuse, LockingTwice) {
    mutex m;
    const std::lock_guard lock(m);
    expect_error(EDEADLK, [&] { m.lock(); });
    expect_error(EDEADLK, [&] { m.try_lock_for(milliseconds(1)); });
    try {
        m.lock();
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur);
    }
    EXPECT_FALSE(m.try_lock());
    shared_mutex s;
    s.lock();
    expect_error(EDEADLK, [&] { s.lock(); });
    expect_error(EDEADLK, [&] { s.lock_shared(); });
    EXPECT_FALSE(s.try_lock());
    EXPECT_FALSE(s.try_lock_shared());
    s.unlock();
    once_flag flag;
    call_once(flag, [&] { expect_error(EDEADLK, [&] { call_once(flag, [] {}); }); });
}

TEST(Misuse, UnlockingWhatOneDoesNotHold) {
    mutex m;
    recursive_mutex r;
    shared_mutex s;
    expect_error(EPERM, [&] { m.unlock(); });
    expect_error(EPERM, [&] { r.unlock(); });
    expect_error(EPERM, [&] { s.unlock(); });
    expect_error(EPERM, [&] { s.unlock_shared(); });
    m.lock();
    r.lock();
    s.lock();
    const auto others = [&] {
        expect_error(EPERM, [&] { m.unlock(); });
        expect_error(EPERM, [&] { r.unlock(); });
        expect_error(EPERM, [&] { s.unlock(); });
        expect_error(EPERM, [&] { s.unlock_shared(); });
        std::unique_lock<mutex> lock(m, std::defer_lock);
        condition_variable condition;
        expect_error(EPERM, [&] { condition.wait(lock); });
    };
    spawn(others).join();
    std::thread(others).join();
    m.unlock(); // and it still is ours
    r.unlock();
    s.unlock();
}

TEST(Misuse, CountingTooFar) {
    binary_semaphore b(1);
    expect_error(EOVERFLOW, [&] { b.release(); });
    expect_error(EINVAL, [&] { b.release(-1); });
    expect_error(EINVAL, [] { counting_semaphore<> s(-1); });
    expect_error(EOVERFLOW, [] { counting_semaphore<3> s(4); });
    latch l(1);
    expect_error(EINVAL, [&] { l.count_down(2); });
    l.count_down();
    expect_error(EINVAL, [&] { l.count_down(); });
    barrier<> none(0);
    expect_error(EINVAL, [&] { none.arrive_and_wait(); });
    barrier<> two(2);
    expect_error(EINVAL, [&] { static_cast<void>(two.arrive(3)); });
}

TEST(Misuse, JoiningOneself) {
    fiber<void>* self = nullptr;
    fiber<void> f = spawn([&] { expect_error(EDEADLK, [&] { self->join(); }); });
    self = &f;
    f.join();
}

TEST(Misuse, GettingTwice) {
    fiber<int> f = spawn([] { return 1; });
    EXPECT_EQ(f.get(), 1);
    EXPECT_THROW(f.get(), std::logic_error);
    f.join(); // no harm
    fiber<void> fails = spawn([] { throw std::out_of_range("far"); });
    EXPECT_THROW(fails.get(), std::out_of_range);
    EXPECT_THROW(fails.get(), std::logic_error);
    expect_error(EINVAL, [] { fiber<int>().get(); });
}

TEST(Misuse, UsingAnEndOfNoChannel) {
    sender<int> to;
    receiver<int> from;
    expect_error(EPIPE, [&] { to.send(1); });
    expect_error(EINVAL, [&] { from.receive(); });
    auto ends = make_channel<int>();
    sender<int> moved = std::move(ends.first);
    EXPECT_FALSE(ends.first);
    expect_error(EPIPE, [&] { select(on_send(ends.first, 1)); });
    moved.close();
    EXPECT_EQ(ends.second.receive(), std::nullopt);
}

// --------------------------------------------------------------------- destroyed while one waits

class MisuseDeath : public testing::Test {
protected:
    MisuseDeath() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

    /// Makes an object for which a fiber waits, and destroys it.
    template <typename Object, typename Wait, typename... Args>
    static void destroy_awaited(Wait wait, Args... args) {
        auto object = std::make_unique<Object>(args...);
        spawn([&object, wait] { wait(*object); }).detach();
        this_fiber::yield();
        object.reset();
    }
};

TEST_F(MisuseDeath, DestroyedWhileAFiberWaits) {
    EXPECT_DEATH(destroy_awaited<event>([](event& e) { e.wait(); }),
                 "event 0x[0-9a-f]+ is destroyed while 1 fiber waits for it");
    EXPECT_DEATH(destroy_awaited<binary_semaphore>([](binary_semaphore& s) { s.acquire(); }, 0),
                 "semaphore 0x[0-9a-f]+ is destroyed while 1 fiber waits for it");
    EXPECT_DEATH(destroy_awaited<channel<int>>([](channel<int>& c) { c.send(1); }),
                 "channel 0x[0-9a-f]+ is destroyed while 1 fiber waits for it");
    EXPECT_DEATH(destroy_awaited<queue<int>>([](queue<int>& q) { q.get(); }),
                 "queue 0x[0-9a-f]+ is destroyed while 1 fiber waits for it");
}

TEST_F(MisuseDeath, AMutexDestroyedWhileSeveralWait) {
    EXPECT_DEATH(
        {
            auto m = std::make_unique<mutex>();
            m->lock();
            for (int i = 0; i < 3; ++i) {
                spawn([&m] { m->lock(); }).detach();
            }
            this_fiber::yield();
            m.reset();
        },
        "mutex 0x[0-9a-f]+ is destroyed while 3 fibers wait for it");
}

TEST_F(MisuseDeath, UnlockingInADestructorWhatOneDoesNotHold) {
    EXPECT_DEATH(
        {
            mutex m;
            const std::lock_guard<mutex> lock(m, std::adopt_lock);
        },
        "unlock by another than its owner of mutex 0x[0-9a-f]+: Operation not permitted");
}

/// A destructor that waits in a cancelled fiber, not because of an exception, must be shielded.
TEST_F(MisuseDeath, WaitingInADestructorOfACancelledFiber) {
    struct waits_at_its_end {
        ~waits_at_its_end() { this_fiber::sleep_for(milliseconds(1)); }
    };
    EXPECT_DEATH(
        {
            fiber<void> f = spawn({"careless"}, [] {
                const waits_at_its_end w;
                try {
                    event().wait();
                } catch (const cancelled&) {
                }
            });
            this_fiber::yield();
            f.cancel("enough");
            f.join();
        },
        "tendril: terminate in fiber #[0-9]+ \"careless\", which was cancelled: enough");
}

/// A program ends, with its static objects, although fibers wait; as it would with threads.
TEST_F(MisuseDeath, StaticObjectsEndWithTheProcess) {
    EXPECT_EXIT(
        {
            detail::leave_leaks_unchecked();
            static channel<int> c;
            static mutex m;
            m.lock();
            spawn([] { c.receive(); }).detach();
            spawn([] { m.lock(); }).detach();
            this_fiber::yield();
            std::exit(0);
        },
        testing::ExitedWithCode(0), "");
}

// ----------------------------------------------------------------------- the waiter's thread ends

/// Whoever waits in a fiber of a thread that ends is never served, and nobody waits for it.
TEST(Abandoned, IsPassedOver) {
    const detail::lost_on_purpose not_a_leak;
    channel<int> c;
    counting_semaphore<> permits(0);
    mutex m;
    event e;
    m.lock();
    std::thread([&] {
        spawn([&] { c.receive(); }).detach();
        spawn([&] { permits.acquire(); }).detach();
        spawn([&] { m.lock(); }).detach();
        spawn([&] { e.wait(); }).detach();
        spawn([&] { select(on_receive(c, [](std::optional<int>) {})); }).detach();
        this_fiber::yield();
    }).join();
    EXPECT_FALSE(c.try_send(1)) << "sent to one who is not there";
    permits.release();
    EXPECT_TRUE(permits.try_acquire()) << "given to one who is not there";
    m.unlock();
    EXPECT_TRUE(m.try_lock()) << "handed to one who is not there";
    m.unlock();
    e.set();
} // and none of them dies of being destroyed

} // namespace
} // namespace tendril
