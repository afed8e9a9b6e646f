// SPDX-License-Identifier: BSL-1.0
// Cancelling fibers: which waits end, how the fiber ends, and what does not.
#include <tendril/tendril.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::cancelled;
using tendril::fiber;
using tendril::spawn;
using tendril::this_fiber::sleep_for;
using tendril::this_fiber::yield;

/// What get() throws of a fiber that was cancelled.
template <typename T>
std::string cancellation(fiber<T>& f) {
    try {
        f.get();
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), ECANCELED);
        return e.what();
    }
    return "not cancelled";
}

/// It sleeps already.
fiber<void> sleeper() {
    fiber<void> f = spawn([] { sleep_for(1h); });
    yield();
    return f;
}

struct wait_case {
    const char* name;
    std::function<void()> wait;
};

class EveryWait : public testing::TestWithParam<wait_case> {};

TEST_P(EveryWait, EndsWhenTheFiberIsCancelledAndEachLaterOneToo) {
    int thrown = 0;
    fiber<void> f = spawn({"patient"}, [&] {
        for (int i = 0; i < 3; ++i) {
            try {
                GetParam().wait();
                ADD_FAILURE() << "went on";
            } catch (const cancelled& c) {
                EXPECT_EQ(c.reason(), "enough");
                ++thrown;
            }
        }
        GetParam().wait();
    });
    while (tendril::hub::current().statistics().spawned == 0) {
        yield();
    }
    yield(); // it waits
    f.cancel("enough");
    EXPECT_THAT(cancellation(f), testing::HasSubstr("\"patient\" was cancelled: enough"));
    EXPECT_EQ(thrown, 3);
}

/// Whose other end says nothing as long as the program runs.
int silent_socket() {
    static const int fd = [] {
        int ends[2];
        return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? ends[0] : -1;
    }();
    return fd;
}

tendril::event& never_set() {
    static tendril::event e;
    return e;
}

const wait_case every_wait[] = {
    {"sleep", [] { sleep_for(1h); }},
    {"yield",
     [] {
         for (;;) {
             yield();
         }
     }},
    {"read",
     [] {
         char byte;
         tendril::io::read(silent_socket(), &byte, 1);
     }},
    {"poll",
     [] {
         pollfd one{silent_socket(), POLLIN, 0};
         tendril::io::poll(&one, 1);
     }},
    {"join",
     [] {
         fiber<void> other = spawn([] { never_set().wait(); });
         try {
             other.join();
         } catch (...) {
             other.cancel();
             throw;
         }
     }},
    {"event", [] { never_set().wait(); }},
    {"channel", [] { tendril::channel<int>().receive(); }},
    {"accept",
     [] {
         static auto listener = tendril::net::tcp_listener::listen("127.0.0.1:0");
         listener.accept();
     }},
};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryWait, testing::ValuesIn(every_wait),
                         [](const auto& which) { return which.param.name; });

TEST(Cancel, OneThatHasNotBegunNeverDoes) {
    const auto owned = std::make_shared<int>(1);
    fiber<void> f = spawn([owned] { ADD_FAILURE() << "ran"; });
    f.cancel();
    EXPECT_THAT(cancellation(f), testing::HasSubstr("was cancelled"));
    EXPECT_EQ(owned.use_count(), 1) << "although there still is a handle";
}

TEST(Cancel, TheStackUnwinds) {
    const auto owned = std::make_shared<int>(1);
    fiber<void> f = spawn([copy = owned] {
        const auto local = copy;
        sleep_for(1h);
    });
    yield();
    EXPECT_EQ(owned.use_count(), 3);
    f.cancel();
    f.join();
    EXPECT_EQ(owned.use_count(), 1);
}

TEST(Cancel, CodeThatHandlesExceptionsLetsItPass) {
    bool handled = false;
    fiber<void> f = spawn([&] {
        try {
            sleep_for(1h);
        } catch (const std::exception&) {
            handled = true;
        }
    });
    yield();
    f.cancel();
    f.join();
    EXPECT_FALSE(handled);
}

TEST(Cancel, AResultThatWasReadyInTimeStays) {
    fiber<int> f = spawn([] {
        try {
            sleep_for(1h);
        } catch (const cancelled&) {
        }
        return 7; // it need not wait for that
    });
    yield();
    f.cancel();
    EXPECT_EQ(f.get(), 7);
}

TEST(Cancel, TheFirstReasonStaysAndAnEndedFiberDoesNotCare) {
    fiber<void> f = sleeper();
    f.cancel("first");
    f.cancel("second");
    EXPECT_THAT(cancellation(f), testing::HasSubstr("first"));
    f.cancel("third");
    fiber<int> done = spawn([] { return 1; });
    done.join();
    done.cancel();
    EXPECT_EQ(done.get(), 1);
    EXPECT_THROW(fiber<int>().cancel(), std::system_error);
}

TEST(Cancel, AnEndedFibersPlaceIsNotCancelledForIt) {
    fiber<void> old = spawn([] {});
    old.join();
    fiber<int> next = spawn([] { // in the same record
        sleep_for(1ms);
        return 5;
    });
    yield();
    old.cancel();
    EXPECT_EQ(next.get(), 5);
}

TEST(Cancel, AFiberMayCancelItself) {
    fiber<void>* self = nullptr;
    fiber<void> f = spawn([&] {
        self->cancel("myself");
        EXPECT_TRUE(tendril::this_fiber::is_cancelled());
        sleep_for(1h);
    });
    self = &f;
    EXPECT_THAT(cancellation(f), testing::HasSubstr("myself"));
}

TEST(Cancel, ALoopThatNeverWaitsCanAsk) {
    fiber<void> f = spawn([] {
        EXPECT_FALSE(tendril::this_fiber::is_cancelled());
        tendril::this_fiber::throw_if_cancelled();
        yield();
        tendril::this_fiber::throw_if_cancelled();
    });
    fiber<void> g = spawn([&] {
        f.cancel("stop");
        tendril::this_fiber::throw_if_cancelled();
    });
    EXPECT_THAT(cancellation(f), testing::HasSubstr("stop"));
    g.get();
}

TEST(Cancel, ALoopThatNeverWaitsSeesWhatAnotherThreadWants) {
    tendril::event begun;
    fiber<void> f = spawn([&] {
        begun.set();
        for (;;) {
            tendril::this_fiber::throw_if_cancelled();
        }
    });
    std::thread other([&] {
        begun.wait();
        f.cancel("from afar");
    });
    EXPECT_THAT(cancellation(f), testing::HasSubstr("from afar"));
    other.join();
}

TEST(Cancel, AnothersCancellationHandedOnIsAnError) {
    fiber<void> f = spawn([] { throw cancelled("somebody else's"); });
    f.join();
    EXPECT_THROW(f.get(), cancelled);
}

TEST(Cancel, OneThatIsStillOnItsWayHere) {
    const tendril::hub here = tendril::hub::current();
    fiber<void> f;
    std::thread([&] { f = spawn(here, {}, [] { ADD_FAILURE() << "ran"; }); }).join();
    f.cancel("before it is here"); // no wait came between
    EXPECT_THAT(cancellation(f), testing::HasSubstr("before it is here"));
}

TEST(Cancel, TheLastReferenceIsDroppedInAFiber) {
    struct yields_at_its_end {
        std::shared_ptr<int> owned;
        ~yields_at_its_end() {
            if (owned != nullptr) {
                tendril::this_fiber::yield();
            }
        }
        yields_at_its_end(yields_at_its_end&&) = default;
        explicit yields_at_its_end(std::shared_ptr<int> o)
            : owned(std::move(o)) {}
    };
    const auto owned = std::make_shared<int>(1);
    std::atomic<bool> begun{false};
    std::atomic<bool> dropped{false};
    fiber<yields_at_its_end> f = spawn([&begun, &dropped, owned] {
        begun = true;
        while (!dropped) { // so the request comes in time, and is seen too late
        }
        return yields_at_its_end(owned);
    });
    std::thread other([&] {
        while (!begun) {
        }
        f.cancel();
        f.detach();
        dropped = true;
    });
    while (owned.use_count() != 1) {
        sleep_for(1ms);
    }
    other.join();
}

TEST(Cancel, NobodyIsToldOfAnUncollectedCancellation) {
    testing::internal::CaptureStderr();
    {
        fiber<void> f = sleeper();
        f.cancel();
        f.join();
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// ------------------------------------------------------------------------- what is no such point

TEST(Cancel, ToLockAMutexIsNone) {
    tendril::mutex m;
    m.lock();
    bool locked = false;
    fiber<void> f = spawn([&] {
        const std::lock_guard<tendril::mutex> lock(m);
        locked = true;
        sleep_for(1h);
        ADD_FAILURE() << "went on";
    });
    yield();
    f.cancel();
    yield();
    EXPECT_FALSE(locked);
    m.unlock();
    f.join();
    EXPECT_TRUE(locked);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

TEST(Cancel, AConditionsWaiterHoldsTheMutexWhenItThrows) {
    tendril::mutex m;
    tendril::condition_variable changed;
    fiber<void> f = spawn([&] {
        std::unique_lock<tendril::mutex> lock(m);
        try {
            changed.wait(lock);
        } catch (const cancelled&) {
            EXPECT_FALSE(m.try_lock());
            throw;
        }
    });
    yield();
    f.cancel();
    f.join();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

TEST(Cancel, WaitsInDestructorsDuringUnwindingGoOn) {
    struct sleeps_at_its_end {
        bool& slept;
        ~sleeps_at_its_end() {
            sleep_for(1ms);
            slept = true;
        }
    };
    bool slept = false;
    fiber<void> f = spawn([&] {
        const sleeps_at_its_end s{slept};
        sleep_for(1h);
    });
    yield();
    f.cancel();
    f.join();
    EXPECT_TRUE(slept);
}

TEST(Cancel, AWaitThatBeganDuringUnwindingGoesOn) {
    tendril::event let_go;
    struct waits_at_its_end {
        tendril::event& until;
        bool& got_it;
        ~waits_at_its_end() {
            until.wait();
            got_it = true;
        }
    };
    bool got_it = false;
    fiber<void> f = spawn([&] {
        try {
            const waits_at_its_end w{let_go, got_it};
            throw std::runtime_error("for another reason");
        } catch (const std::runtime_error&) {
        }
        sleep_for(1h);
    });
    yield();
    f.cancel();
    yield();
    EXPECT_FALSE(f.ready());
    let_go.set();
    EXPECT_THAT(cancellation(f), testing::HasSubstr("was cancelled"));
    EXPECT_TRUE(got_it);
}

TEST(CancelDeathTest, WhereNothingMayBeThrownTheFiberIsNamed) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto body = [] {
        fiber<void> f = spawn({"brittle"}, []() noexcept { sleep_for(1h); });
        yield();
        f.cancel("the test says so");
        f.join();
    };
    EXPECT_EXIT(body(), testing::KilledBySignal(SIGABRT),
                "tendril: terminate in fiber #[0-9]+ \"brittle\", which was cancelled: the test");
}

// --------------------------------------------------------------------------------- other threads

TEST(Cancel, FromAnotherThread) {
    tendril::event waits;
    fiber<void> f = spawn([&] {
        waits.set();
        sleep_for(1h);
    });
    waits.wait();
    std::thread other([&] { f.cancel("from afar"); });
    EXPECT_THAT(cancellation(f), testing::HasSubstr("from afar"));
    other.join();
}

TEST(Cancel, BeforeItHasArrivedAtItsHub) {
    const tendril::hub here = tendril::hub::current();
    fiber<void> f;
    std::thread([&] {
        f = spawn(here, {}, [] { ADD_FAILURE() << "ran"; });
        f.cancel("too soon");
    }).join();
    EXPECT_THAT(cancellation(f), testing::HasSubstr("too soon"));
}

TEST(Cancel, OfAFiberWhoseThreadHasEndedDoesNothing) {
    fiber<int> f;
    std::thread([&] {
        f = spawn([] { return 3; });
        f.join();
    }).join();
    f.cancel();
    EXPECT_EQ(f.get(), 3);
}

TEST(Cancel, ManyFromManyThreads) {
    constexpr int threads = 4;
    constexpr int each = 100;
    std::vector<fiber<void>> all;
    for (int i = 0; i < threads * each; ++i) {
        all.push_back(spawn([] { sleep_for(1h); }));
    }
    yield();
    std::vector<std::thread> cancellers;
    for (int t = 0; t < threads; ++t) {
        cancellers.emplace_back([&all] {
            for (auto& f : all) {
                f.cancel("all at once");
            }
        });
    }
    for (auto& f : all) {
        EXPECT_THAT(cancellation(f), testing::HasSubstr("all at once"));
    }
    for (auto& t : cancellers) {
        t.join();
    }
    EXPECT_EQ(tendril::hub::current().statistics().live, 0u);
}

} // namespace
