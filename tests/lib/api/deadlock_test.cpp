// SPDX-License-Identifier: BSL-1.0
// The main fiber learns that nothing can wake it; and is not told so when something can.
//
// Each case runs in a process of its own: it depends on how many threads there are.
#include <tendril.h>
#include <tendril/tendril.hpp>

#include "support/require.hpp"

#include "offload/offload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using tendril::deadlock_error;
using tendril::fiber;
using tendril::fiber_state;
using tendril::spawn;

namespace {

class Deadlock : public testing::Test {
protected:
    Deadlock() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

/// In a process with one thread; `body` returns.
#define IN_ITS_OWN_PROCESS(body)                                                                   \
    EXPECT_EXIT(                                                                                   \
        {                                                                                          \
            body();                                                                                \
            std::_Exit(0);                                                                         \
        },                                                                                         \
        testing::ExitedWithCode(0), "")

/// What the error says.
template <typename Wait>
std::string deadlock_in(Wait wait) {
    try {
        wait();
    } catch (const deadlock_error& e) {
        REQUIRE(e.code() == std::errc::resource_deadlock_would_occur);
        REQUIRE(e.fibers().at(0).name == "main");
        REQUIRE(e.fibers().at(0).state == fiber_state::waiting);
        return e.what();
    }
    const bool was_thrown = false;
    REQUIRE(was_thrown);
    return "";
}

bool has(const std::string& text, const std::string& part) {
    if (text.find(part) == std::string::npos) {
        std::fprintf(stderr, "no \"%s\" in: %s", part.c_str(), text.c_str());
        return false;
    }
    return true;
}

// ------------------------------------------------------------------------------- it is one

void every_wait_for_fibers() {
    tendril::mutex m;
    tendril::recursive_mutex r;
    tendril::shared_mutex s;
    // Who holds them has ended.
    spawn([&] {
        m.lock();
        r.lock();
        s.lock();
    }).join();
    REQUIRE(has(deadlock_in([&] { m.lock(); }), ", held by a fiber that has ended"));
    REQUIRE(has(deadlock_in([&] { const std::scoped_lock both(m, r); }), "mutex 0x"));
    deadlock_in([&] { r.lock(); });
    deadlock_in([&] { s.lock(); });
    deadlock_in([&] { s.lock_shared(); });
    tendril::event e;
    REQUIRE(has(deadlock_in([&] { e.wait(); }), "\"main\" waits: event 0x"));
    deadlock_in([] { tendril::counting_semaphore<>(0).acquire(); });
    deadlock_in([] { tendril::latch(1).wait(); });
    deadlock_in([] { tendril::barrier<>(2).arrive_and_wait(); });
    deadlock_in([] { tendril::channel<int>().send(1); });
    deadlock_in([] { tendril::channel<int>().receive(); });
    deadlock_in([] { tendril::queue<int>().get(); });
    deadlock_in([] {
        tendril::channel<int> c;
        tendril::select(tendril::on_receive(c, [](auto) {}));
    });
    deadlock_in([] { tendril::promise<int>().get_future().get(); });
    tendril::mutex free;
    tendril::condition_variable condition;
    std::unique_lock<tendril::mutex> lock(free);
    deadlock_in([&] { condition.wait(lock); });
    REQUIRE(lock.owns_lock() && !spawn([&] { return free.try_lock(); }).get());
}

TEST_F(Deadlock, EveryWaitForFibersEnds) {
    IN_ITS_OWN_PROCESS(every_wait_for_fibers);
}

[[gnu::noinline]] void all_are_listed() {
    tendril::mutex a;
    tendril::mutex b;
    fiber<void> first = spawn({"first"}, [&] {
        const std::lock_guard<tendril::mutex> one(a);
        tendril::this_fiber::yield();
        const std::lock_guard<tendril::mutex> two(b);
    });
    fiber<void> second = spawn({"second"}, [&] {
        const std::lock_guard<tendril::mutex> one(b);
        tendril::this_fiber::yield();
        const std::lock_guard<tendril::mutex> two(a);
    });
    const std::string text = deadlock_in([&] { first.join(); });
    REQUIRE(has(text, "\"main\" waits: join fiber #" + std::to_string(first.id()) + '\n'));
    REQUIRE(has(text, ", held by #" + std::to_string(second.id()) + " \"second\"; spawned in "));
    REQUIRE(has(text, ", held by #" + std::to_string(first.id()) + " \"first\"; spawned in "));
    REQUIRE(has(text, "all_are_listed"));
    REQUIRE(has(deadlock_in([] { tendril::hub::current().drain(); }), "\"main\" waits: drain"));
    REQUIRE(!first.ready());
    std::_Exit(0); // a mutex must not be destroyed while one waits for it
}

TEST_F(Deadlock, TheListIsNotLostWhenUnwindingDestroysWhatIsWaitedFor) {
    EXPECT_EXIT(
        try {
            tendril::event never;
            fiber<void> f = spawn({"stuck"}, [&] { never.wait(); });
            f.join();
        } catch (const deadlock_error&){},
        testing::KilledBySignal(SIGABRT),
        "event 0x[0-9a-f]+ is destroyed while 1 fiber waits for it\n(.|\n)*\"stuck\" waits: event");
}

TEST_F(Deadlock, ListsAllFibersAndWhoHoldsWhat) {
    IN_ITS_OWN_PROCESS(all_are_listed);
}

void who_catches_it_may_go_on() {
    tendril::event go;
    fiber<int> f = spawn([&] {
        go.wait();
        return 7;
    });
    for (int i = 0; i < 3; ++i) {
        deadlock_in([&] { f.join(); });
    }
    tendril::this_fiber::sleep_for(1ms); // nothing is left of it
    go.set();
    REQUIRE(f.get() == 7);
    fiber<void> g = spawn([&] { tendril::event().wait(); });
    deadlock_in([&] { g.get(); });
    g.cancel();
    g.join();
}

TEST_F(Deadlock, WhoCatchesItMayGoOn) {
    IN_ITS_OWN_PROCESS(who_catches_it_may_go_on);
}

void many_fibers() {
    tendril::event never;
    for (int i = 0; i < 1000; ++i) {
        spawn([&] { never.wait(); }).detach();
    }
    try {
        tendril::hub::current().drain();
    } catch (const deadlock_error& e) {
        REQUIRE(e.fibers().size() == 1001);
        std::_Exit(0);
    }
    std::_Exit(1);
}

TEST_F(Deadlock, OfManyFibers) {
    IN_ITS_OWN_PROCESS(many_fibers);
}

void threads_have_ended() {
    tendril::event seen;
    std::thread([&] { seen.wait_for(1ms); }).join();
    deadlock_in([&] { seen.wait(); });
    // Now one that ends while main waits.
    std::thread([] { ::usleep(50'000); }).detach();
    deadlock_in([&] { seen.wait(); });
}

TEST_F(Deadlock, AfterAllThreadsHaveEnded) {
    IN_ITS_OWN_PROCESS(threads_have_ended);
}

/// A worker of ours that has nothing to do is no reason to hope; one that works is.
void idle_workers() {
    struct state {
        bool done = false;
    };
    tendril::detail::offload_with(std::make_shared<state>(),
                                  [](state& s) noexcept { s.done = true; },
                                  {tendril::detail::wait_kind::other, "work"});
    tendril::event seen;
    deadlock_in([&] { seen.wait(); });
    // Its end wakes nobody by itself, but what it does in between does.
    tendril::event woken;
    fiber<void> f = spawn([&] {
        tendril::detail::offload_with(std::make_shared<tendril::event*>(&woken),
                                      [](tendril::event*& e) noexcept {
                                          ::usleep(100'000);
                                          e->set();
                                      },
                                      {tendril::detail::wait_kind::sync, "work"});
    });
    woken.wait();
    f.join();
}

TEST_F(Deadlock, IdleWorkersDoNotCount) {
    IN_ITS_OWN_PROCESS(idle_workers);
}

void in_the_child_of_a_fork() {
    tendril::event never;
    fiber<void> f = spawn([&] { never.wait(); });
    tendril::this_fiber::yield();
    const pid_t child = ::fork();
    if (child == 0) {
        deadlock_in([&] { never.wait(); });
        std::_Exit(0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child && status == 0);
    // A fiber that forks is all that its child has.
    spawn([&] {
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            try {
                never.wait();
            } catch (const deadlock_error& e) {
                std::_Exit(e.fibers().size() == 1 ? 0 : 1);
            }
        }
        REQUIRE(::waitpid(grandchild, &status, 0) == grandchild && status == 0);
    }).join();
    // And that of a thread other than the main one.
    std::thread([&] {
        tendril::hub::current();
        const pid_t other = ::fork();
        if (other == 0) {
            try {
                never.wait();
            } catch (const deadlock_error&) {
                std::_Exit(0);
            }
        }
        REQUIRE(::waitpid(other, &status, 0) == other && status == 0);
    }).join();
    never.set();
    f.join();
}

TEST_F(Deadlock, InTheChildOfAFork) {
    if (sizeof TENDRIL_TEST_SANITIZE > 1) {
        GTEST_SKIP() << "sanitizers and fork";
    }
    IN_ITS_OWN_PROCESS(in_the_child_of_a_fork);
}

void by_the_c_interface() {
    tendril::event never;
    tendril_fiber* f = tendril_spawn(
        [](void* e) -> void* {
            static_cast<tendril::event*>(e)->wait();
            return nullptr;
        },
        &never, nullptr);
    errno = 0;
    REQUIRE(tendril_join(f, nullptr) == -1 && errno == EDEADLK);
    errno = 0;
    REQUIRE(tendril_drain() == -1 && errno == EDEADLK);
    never.set();
    REQUIRE(tendril_join(f, nullptr) == 0); // the handle has stayed valid
}

TEST_F(Deadlock, ByTheCInterface) {
    IN_ITS_OWN_PROCESS(by_the_c_interface);
}

void shields_do_not_matter() {
    const tendril::shield all;
    deadlock_in([] { tendril::event().wait(); });
}

TEST_F(Deadlock, PassesThroughShields) {
    IN_ITS_OWN_PROCESS(shields_do_not_matter);
}

TEST_F(Deadlock, UncaughtItEndsTheProgramWithTheList) {
    EXPECT_EXIT(
        {
            [&]() noexcept {
                fiber<void> f = spawn({"stuck"}, [] { tendril::event().wait(); });
                f.join();
            }();
        },
        testing::KilledBySignal(SIGABRT),
        "deadlock_error(.|\n)*every fiber waits(.|\n)*\"stuck\" waits: event 0x");
}

TEST_F(Deadlock, WithoutTheMutexNobodyReturnsFromAConditionVariable) {
    EXPECT_EXIT(
        {
            tendril::mutex m;
            tendril::condition_variable condition;
            std::unique_lock<tendril::mutex> lock(m);
            spawn([&] {
                m.lock();
                condition.notify_all();
            }).detach();
            condition.wait(lock);
        },
        testing::KilledBySignal(SIGABRT),
        "waits: mutex 0x[0-9a-f]+, held by a fiber that has ended");
}

// ------------------------------------------------------------------------------- it is none

void end_by_alarm(int) {
    std::_Exit(0);
}

/// Nothing can be thrown there: it says so, and waits.
void while_the_stack_unwinds() {
    struct waits_at_the_end {
        ~waits_at_the_end() {
            tendril::event never;
            never.wait();
        }
    };
    std::signal(SIGALRM, end_by_alarm);
    ::ualarm(200'000, 0);
    try {
        const waits_at_the_end w;
        throw 1;
    } catch (...) {
    }
    std::_Exit(1);
}

TEST_F(Deadlock, WhileTheStackUnwindsItIsPrinted) {
    EXPECT_EXIT(while_the_stack_unwinds(), testing::ExitedWithCode(0),
                "tendril: deadlock: every fiber waits.*\n.*\"main\" waits: event 0x");
}

int alarm_pipe[2];
void write_at_alarm(int) {
    if (::write(alarm_pipe[1], "x", 1) != 1) {
        std::_Exit(1);
    }
}

/// Longer than the pause after which all fibers are looked at.
void set_alarm() {
    REQUIRE(alarm_pipe[0] != 0 || ::pipe(alarm_pipe) == 0);
    std::signal(SIGALRM, write_at_alarm);
    ::ualarm(60'000, 0);
}

void who_reads_may_be_woken() {
    set_alarm();
    char byte;
    REQUIRE(tendril::io::read(alarm_pipe[0], &byte, 1) == 1); // the main fiber
    set_alarm();
    tendril::event seen;
    for (int i = 0; i < 300; ++i) { // more than are glanced at
        spawn([&] { seen.wait(); }).detach();
    }
    fiber<void> reads = spawn([&] {
        REQUIRE(tendril::io::read(alarm_pipe[0], &byte, 1) == 1);
        seen.set();
    });
    for (int i = 0; i < 300; ++i) {
        spawn([&] { seen.wait(); }).detach();
    }
    tendril::hub::current().drain();
}

TEST_F(Deadlock, NoneWhileAFiberWaitsForIO) {
#ifdef TENDRIL_TSAN
    GTEST_SKIP() << "it keeps signals until a call that it knows, and epoll_pwait2 is none";
#endif
    IN_ITS_OWN_PROCESS(who_reads_may_be_woken);
}

void timers_end_waits() {
    tendril::event never;
    REQUIRE(!never.wait_for(1ms));
    fiber<bool> f = spawn([&] { return never.wait_for(30ms); });
    REQUIRE(!f.get());
    REQUIRE(!tendril::move_on_after(30ms, [&] { never.wait(); }));
    fiber<void> g = spawn([&] { tendril::move_on_after(30ms, [&] { never.wait(); }); });
    g.join();
}

TEST_F(Deadlock, NoneWhileATimerIsSet) {
    IN_ITS_OWN_PROCESS(timers_end_waits);
}

void threads_wake() {
    tendril::event seen;
    std::thread slow([&] {
        ::usleep(100'000);
        seen.set();
    });
    seen.wait();
    slow.join();
    std::thread([] { // no hub but the main thread's is told
        tendril::event set_later;
        std::thread other([&] {
            ::usleep(60'000);
            set_later.set();
        });
        set_later.wait();
        other.join();
    })
        .join();
}

TEST_F(Deadlock, NoneWhileThereAreThreads) {
    IN_ITS_OWN_PROCESS(threads_wake);
}

} // namespace
