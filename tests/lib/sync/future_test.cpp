// SPDX-License-Identifier: BSL-1.0
// Futures, and what fibers keep for themselves.
#include <tendril/fiber_local.hpp>
#include <tendril/future.hpp>

#include "settings.hpp"
#include "support/leaks.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

namespace tendril::detail {
namespace {

using std::chrono::milliseconds;

// Before any hub reads it: threads that end abandon their fibers at once.
[[maybe_unused]] const int grace = ::setenv("TENDRIL_EXIT_GRACE_MS", "0", 1);

class Futures : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Futures, every_setting, name_of);

template <typename Function>
void expect_future_error(future_errc expected, Function function) {
    try {
        function();
        ADD_FAILURE() << "nothing thrown";
    } catch (const future_error& e) {
        EXPECT_EQ(e.code(), expected);
    }
}

TEST_P(Futures, AllGetTheOneResult) {
    in_each_world([](world& w) {
        promise<std::unique_ptr<int>> p;
        const shared_future<std::unique_ptr<int>> f = p.get_future().share();
        std::atomic<int> got{0};
        const actor gets = [&] {
            while (f.wait_until(w.deadline()) == future_status::timeout) {
            }
            got += *f.get();
        };
        const actor sets = [&] {
            world::pause();
            p.set_value(std::make_unique<int>(7));
        };
        w.run({gets, gets, sets, gets, gets});
        EXPECT_EQ(got, 4 * 7);
    });
}

TEST_P(Futures, OneOfManyCollectsIt) {
    in_each_world([](world& w) {
        promise<std::unique_ptr<int>> p;
        future<std::unique_ptr<int>> f = p.get_future();
        const actor waits = [&] {
            f.wait();
            EXPECT_TRUE(f.ready());
        };
        w.run({waits, waits, [&] { p.set_value(std::make_unique<int>(7)); }, waits});
        EXPECT_EQ(*f.get(), 7);
        EXPECT_FALSE(f.valid());
    });
}

TEST(Future, IsHandedOutOnce) {
    fake_hub hub;
    promise<std::string> p;
    future<std::string> f = p.get_future();
    expect_future_error(future_errc::future_already_retrieved, [&] { p.get_future(); });
    std::string got;
    fiber<void> first = spawn([&] { got = f.get(); });
    fiber<void> second = spawn(
        [&] { expect_future_error(future_errc::no_state, [&] { static_cast<void>(f.get()); }); });
    hub->yield();
    p.set_value("once");
    first.join();
    second.join();
    EXPECT_EQ(got, "once");
    expect_future_error(future_errc::no_state, [&] { static_cast<void>(f.get()); });
    expect_future_error(future_errc::promise_already_satisfied, [&] { p.set_value("twice"); });
}

TEST(Future, CarriesExceptionsReferencesAndNothing) {
    fake_hub hub;
    promise<void> done;
    future<void> f = done.get_future();
    EXPECT_EQ(f.wait_until(hub->now() + milliseconds(1)), future_status::timeout);
    done.set_value();
    EXPECT_EQ(f.wait_for(milliseconds(0)), future_status::ready);
    f.get();
    int i = 0;
    promise<int&> reference;
    reference.set_value(i);
    EXPECT_EQ(&reference.get_future().get(), &i);
    promise<int> fails;
    fails.set_exception(std::make_exception_ptr(std::out_of_range("far")));
    const shared_future<int> all = fails.get_future();
    EXPECT_THROW(all.get(), std::out_of_range);
    EXPECT_THROW(all.get(), std::out_of_range);
    future<int> forsaken;
    {
        promise<int> p;
        forsaken = p.get_future();
    }
    expect_future_error(future_errc::broken_promise, [&] { forsaken.get(); });
}

TEST(Future, AResultThatCannotBeMadeMayBeSetAgain) {
    struct picky {
        explicit picky(int v)
            : value(v) {}
        picky(const picky& other)
            : value(other.value) {
            if (value < 0) {
                throw std::bad_alloc();
            }
        }
        int value;
    };
    promise<picky> p;
    EXPECT_THROW(p.set_value(picky(-1)), std::bad_alloc);
    p.set_value(picky(1));
    EXPECT_EQ(p.get_future().get().value, 1);
}

TEST(PackagedTask, RunsInAFiber) {
    fake_hub hub;
    packaged_task<int(int, std::unique_ptr<int>)> task([](int a, std::unique_ptr<int> b) {
        if (a < 0) {
            throw std::out_of_range("negative");
        }
        return a + *b;
    });
    future<int> sum = task.get_future();
    task(2, std::make_unique<int>(3));
    EXPECT_EQ(sum.get(), 5);
    expect_future_error(future_errc::promise_already_satisfied, [&] { task(2, nullptr); });
    task.reset();
    sum = task.get_future();
    spawn(std::move(task), -1, nullptr).join();
    EXPECT_THROW(sum.get(), std::out_of_range);
    packaged_task<void()> none;
    EXPECT_FALSE(none.valid());
    expect_future_error(future_errc::no_state, [&] { none(); });
}

// ------------------------------------------------------------------------------------ fiber_local

std::atomic<int> alive{0};

struct counted {
    explicit counted(int v = 0)
        : value(v) {
        ++alive;
    }
    counted(const counted& other)
        : value(other.value) {
        ++alive;
    }
    counted& operator=(const counted&) = default;
    ~counted() { --alive; }
    int value;
};

TEST(FiberLocal, EachFiberHasItsOwn) {
    {
        fake_hub hub;
        fiber_local<counted> local(counted(5));
        const int before = alive;
        EXPECT_FALSE(local.has_value());
        local->value = 1;
        std::vector<fiber<void>> fibers;
        for (int i = 10; i < 20; ++i) {
            fibers.push_back(spawn([&, i] {
                EXPECT_EQ(local->value, 5);
                local->value = i;
                hub->yield();
                EXPECT_EQ((*local).value, i);
            }));
        }
        hub->yield();
        EXPECT_EQ(alive, before + 11);
        for (fiber<void>& f : fibers) {
            f.join();
        }
        EXPECT_EQ(alive, before + 1);
        EXPECT_EQ(local->value, 1);
        local.reset();
        EXPECT_EQ(alive, before);
    }
    EXPECT_EQ(alive, 0);
}

/// As thread_local objects are destroyed before pthread_join returns. Destroying may make others,
/// and may wait.
TEST(FiberLocal, EndsBeforeJoinersGoOn) {
    fake_hub hub;
    static std::string log;
    static fiber_local<std::string> second([] { return std::string("second"); });
    struct first_value {
        ~first_value() {
            this_fiber::yield();
            log += *second + ' ';
        }
    };
    fiber_local<std::unique_ptr<first_value>> first;
    log.clear();
    spawn([&] { first.get() = std::make_unique<first_value>(); }).join();
    EXPECT_EQ(log, "second ");
}

TEST(FiberLocal, OfAThreadNeedsNoHub) {
    fiber_local<counted> local;
    std::thread([&] {
        local->value = 3;
        EXPECT_EQ(hub_core::current_or_null(), nullptr);
        spawn([&] { EXPECT_EQ(local->value, 0); }).join();
        EXPECT_EQ(local->value, 3) << "lost when the thread got a hub";
    }).join();
    EXPECT_EQ(alive, 0);
}

TEST(FiberLocal, ManyAtOnceAndInAnyOrder) {
    fake_hub hub;
    std::vector<std::unique_ptr<fiber_local<int>>> locals;
    for (int i = 0; i < 50; ++i) {
        locals.push_back(std::make_unique<fiber_local<int>>(i));
    }
    spawn([&] {
        for (std::size_t i = 50; i-- > 0;) {
            ++**locals[i];
        }
        locals[20]->reset();
        for (int i = 0; i < 50; ++i) {
            EXPECT_EQ(**locals[static_cast<std::size_t>(i)], i == 20 ? 20 : i + 1);
        }
    }).join();
}

TEST(FiberLocal, OfAnAbandonedFiberStays) {
    static fiber_local<counted> local;
    const int before = alive;
    const lost_on_purpose not_a_leak;
    std::thread([] {
        spawn([] {
            local->value = 1;
            this_fiber::sleep_for(std::chrono::hours(1));
        }).detach();
        this_fiber::yield();
    }).join();
    EXPECT_EQ(alive, before + 1);
    // The next fiber with the same record begins anew.
    std::thread([] { spawn([] { EXPECT_FALSE(local.has_value()); }).join(); }).join();
}

} // namespace
} // namespace tendril::detail
