// SPDX-License-Identifier: BSL-1.0
// What locks promise: one owner at a time, or many who share; first come, first served; none lost.
#include <tendril/mutex.hpp>
#include <tendril/once.hpp>
#include <tendril/shared_mutex.hpp>

#include "settings.hpp"

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <system_error>

namespace tendril::detail {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Locks : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Locks, every_setting, name_of);

constexpr int actors = 6;
constexpr int rounds = 5;

template <typename Mutex>
void one_at_a_time(world& w) {
    Mutex m;
    int held = 0;    // of those who hold it now; not atomic: the mutex guards it
    int entered = 0; // likewise
    std::atomic<int> gave_up{0};
    const actor one = [&] {
        for (int i = 0; i < rounds; ++i) {
            if (!m.try_lock_until(w.deadline())) {
                ++gave_up;
                continue;
            }
            EXPECT_EQ(++held, 1);
            world::pause();
            ++entered;
            EXPECT_EQ(--held, 0);
            m.unlock();
        }
    };
    w.run(std::vector<actor>(actors, one));
    EXPECT_EQ(entered + gave_up, actors * rounds);
    EXPECT_TRUE(m.try_lock()) << "left locked";
    m.unlock();
}

TEST_P(Locks, OneAtATime) {
    in_each_world(one_at_a_time<mutex>);
    in_each_world(one_at_a_time<recursive_mutex>);
    in_each_world(one_at_a_time<shared_mutex>);
}

/// On one thread, asking and entering the queue are one step, so the order of asking is known.
TEST_P(Locks, FirstComeFirstServed) {
    in_each_world([](world& w) {
        if (!w.on_one_thread()) {
            return;
        }
        mutex m;
        std::vector<int> asked;
        std::vector<int> served;
        std::vector<actor> all;
        for (int name = 0; name < actors; ++name) {
            all.emplace_back([&, name] {
                for (int i = 0; i < rounds; ++i) {
                    const int request = name * rounds + i;
                    asked.push_back(request);
                    if (!m.try_lock_until(w.deadline())) {
                        asked.erase(std::find(asked.begin(), asked.end(), request));
                        continue;
                    }
                    served.push_back(request);
                    world::pause();
                    m.unlock();
                    world::pause();
                }
            });
        }
        w.run(all);
        EXPECT_EQ(served, asked);
    });
}

TEST_P(Locks, ARecursiveMutexIsLeftAsOftenAsEntered) {
    in_each_world([](world& w) {
        recursive_mutex m;
        int inside = 0;
        const actor one = [&] {
            for (int i = 0; i < rounds; ++i) {
                const std::lock_guard outer(m);
                const std::lock_guard inner(m);
                EXPECT_TRUE(m.try_lock());
                EXPECT_EQ(++inside, 1);
                m.unlock();
                world::pause();
                EXPECT_EQ(--inside, 0);
            }
        };
        w.run(std::vector<actor>(actors, one));
        EXPECT_THROW(m.unlock(), std::system_error);
    });
}

TEST_P(Locks, ReadersShareAndWritersDoNot) {
    in_each_world([](world& w) {
        shared_mutex m;
        std::atomic<int> readers{0};
        std::atomic<int> writers{0};
        const actor reader = [&] {
            for (int i = 0; i < rounds; ++i) {
                const std::shared_lock lock(m, w.deadline());
                if (lock.owns_lock()) {
                    ++readers;
                    world::pause();
                    EXPECT_EQ(writers, 0);
                    --readers;
                }
            }
        };
        const actor writer = [&] {
            for (int i = 0; i < rounds; ++i) {
                const std::unique_lock lock(m, w.deadline());
                if (lock.owns_lock()) {
                    EXPECT_EQ(++writers, 1);
                    EXPECT_EQ(readers, 0);
                    world::pause();
                    EXPECT_EQ(--writers, 0);
                }
            }
        };
        w.run({reader, writer, reader, reader, writer, reader});
        EXPECT_TRUE(m.try_lock()) << "left locked";
        m.unlock();
    });
}

TEST_P(Locks, ACallIsMadeOnce) {
    in_each_world([](world& w) {
        once_flag flag;
        std::atomic<int> calls{0};
        std::atomic<int> threw{0};
        std::atomic<int> saw_it_done{0};
        const actor one = [&] {
            try {
                call_once(flag, [&] {
                    ++calls;
                    world::pause();
                    if (calls < 3) {
                        throw 3;
                    }
                });
                saw_it_done += calls == 3;
            } catch (int) {
                ++threw;
            }
        };
        w.run(std::vector<actor>(actors, one));
        EXPECT_EQ(calls, 3);
        EXPECT_EQ(threw, 2);
        EXPECT_EQ(saw_it_done, actors - 2);
    });
}

// --------------------------------------------------------------------------------- on one hub

TEST(SharedMutex, AReaderWaitsBehindAWriter) {
    fake_hub hub;
    shared_mutex m;
    std::string order;
    m.lock_shared();
    spawn([&] {
        m.lock();
        order += 'w';
        m.unlock();
    }).detach();
    for (int i = 0; i < 2; ++i) {
        spawn([&] {
            m.lock_shared();
            order += 'r';
            hub->yield();
            order += 's'; // both are in
            m.unlock_shared();
        }).detach();
    }
    hub->yield();
    EXPECT_FALSE(m.try_lock_shared()) << "it would overtake the writer";
    EXPECT_EQ(order, "");
    m.unlock_shared();
    hub.run();
    EXPECT_EQ(order, "wrrss");
}

TEST(SharedMutex, ReadersGoOnWhenTheWriterBeforeThemGivesUp) {
    fake_hub hub;
    shared_mutex m;
    m.lock_shared();
    bool writer_got_it = true;
    bool reader_got_it = false;
    spawn([&] { writer_got_it = m.try_lock_until(hub->now() + seconds(1)); }).detach();
    spawn([&] {
        reader_got_it = m.try_lock_shared_until(hub->now() + hours(1));
        m.unlock_shared();
    }).detach();
    const time_point begin = hub->now();
    hub.run();
    EXPECT_FALSE(writer_got_it);
    EXPECT_TRUE(reader_got_it);
    EXPECT_EQ(hub->now(), begin + seconds(1));
    m.unlock_shared();
}

TEST(Mutex, TriesWithoutWaiting) {
    mutex m;
    m.lock();
    hub_core& hub = hub_core::current();
    spawn([&] {
        EXPECT_FALSE(m.try_lock());
        EXPECT_FALSE(m.try_lock_for(milliseconds(0)));
        EXPECT_FALSE(m.try_lock_until(hub.now()));
        EXPECT_FALSE(m.try_lock_until(std::chrono::system_clock::now() - seconds(1)));
    }).join();
    EXPECT_EQ(hub.counters().waits[static_cast<std::size_t>(wait_kind::sync)], 0u);
    m.unlock();
}

TEST(Mutex, WhoOnlyTriesLetsOthersRun) {
    fake_hub hub;
    mutex m;
    m.lock();
    fiber<void> f = spawn([&] {
        while (!m.try_lock()) {
        }
        m.unlock();
    });
    hub->yield();
    m.unlock();
    f.join();
}

TEST(Mutex, LocksWithOthersAtOnce) {
    fake_hub hub;
    mutex a;
    recursive_mutex b;
    shared_mutex c;
    int inside = 0;
    for (int i = 0; i < 4; ++i) {
        spawn([&, i] {
            for (int n = 0; n < 5; ++n) {
                if (i % 2 == 0) {
                    const std::scoped_lock all(a, b, c);
                    EXPECT_EQ(++inside, 1);
                    hub->yield();
                    --inside;
                } else {
                    const std::scoped_lock all(c, a, b);
                    EXPECT_EQ(++inside, 1);
                    hub->yield();
                    --inside;
                }
            }
        }).detach();
    }
    hub.run();
    EXPECT_TRUE(a.try_lock());
    a.unlock();
}

TEST(Mutex, ItsWaitHasAName) {
    fake_hub hub;
    mutex m;
    m.lock();
    fiber_record* waiting = nullptr;
    spawn([&] {
        waiting = &hub->running();
        m.lock();
        m.unlock();
    }).detach();
    hub->yield();
    char address[32];
    std::snprintf(address, sizeof address, "mutex %p", static_cast<void*>(&m));
    EXPECT_EQ(to_string(*waiting->waiting), address);
    m.unlock();
    hub.run();
}

} // namespace
} // namespace tendril::detail
