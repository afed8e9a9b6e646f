// SPDX-License-Identifier: BSL-1.0
// What can be told of the fibers that there are.
#include <tendril.h>
#include <tendril/tendril.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using tendril::fiber;
using tendril::fiber_info;
using tendril::fiber_state;
using tendril::spawn;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

fiber_info find(const std::vector<fiber_info>& all, const std::string& name) {
    for (const fiber_info& f : all) {
        if (f.name == name) {
            return f;
        }
    }
    ADD_FAILURE() << "no fiber " << name;
    return {};
}

/// All that a fiber of that name waits for while `wait` is called in it.
template <typename Wait>
std::string waited_for(Wait wait) {
    fiber<void> f = spawn({"waiter"}, wait);
    tendril::this_fiber::yield();
    const fiber_info info = find(tendril::fibers(), "waiter");
    EXPECT_EQ(info.state, fiber_state::waiting);
    f.cancel();
    f.join();
    return info.waits_for;
}

} // namespace

/// With a name of its own in reports.
[[gnu::noinline]] fiber<void> spawn_in_named_function(tendril::event& until) {
    return spawn({"child"}, [&until] { until.wait(); });
}

[[gnu::noinline]] fiber<void> spawn_plainly(tendril::event& until) {
    return spawn([&until] { until.wait(); });
}

namespace {

TEST(Inspect, TheMainFiberComesFirstAndRuns) {
    tendril::hub::current();
    const std::vector<fiber_info> all = tendril::fibers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].name, "main");
    EXPECT_EQ(all[0].id, tendril::this_fiber::id());
    EXPECT_EQ(all[0].parent, 0u);
    EXPECT_EQ(all[0].state, fiber_state::running);
    EXPECT_EQ(all[0].spawn_address, nullptr);
}

TEST(Inspect, AThreadWithoutAHubHasNoFibersAndGetsNone) {
    std::thread([] { EXPECT_TRUE(tendril::fibers().empty()); }).join();
}

TEST(Inspect, States) {
    tendril::event go;
    fiber<void> waits = spawn({"waits"}, [&] { go.wait(); });
    fiber<void> yields = spawn({"yields"}, [] { tendril::this_fiber::yield(); });
    tendril::this_fiber::yield();
    fiber<void> begins = spawn({"begins"}, [] {});
    const std::vector<fiber_info> all = tendril::fibers();
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(find(all, "waits").state, fiber_state::waiting);
    EXPECT_EQ(find(all, "yields").state, fiber_state::ready);
    EXPECT_EQ(find(all, "begins").state, fiber_state::not_begun);
    EXPECT_EQ(find(all, "waits").id, waits.id());
    EXPECT_FALSE(find(all, "waits").cancelled);
    waits.cancel();
    EXPECT_TRUE(find(tendril::fibers(), "waits").cancelled);
    waits.join();
    yields.join();
    begins.join();
    EXPECT_EQ(tendril::fibers().size(), 1u);
}

TEST(Inspect, ParentsAndPlaces) {
    tendril::event go;
    std::uint64_t grandchild = 0;
    fiber<void> parent = spawn({"parent"}, [&] {
        fiber<void> child = spawn_in_named_function(go);
        child.join();
        fiber<void> other = spawn_plainly(go);
        grandchild = other.id();
        other.join();
    });
    tendril::this_fiber::yield();
    tendril::this_fiber::yield();
    const std::vector<fiber_info> all = tendril::fibers();
    EXPECT_EQ(find(all, "parent").parent, tendril::this_fiber::id());
    const fiber_info child = find(all, "child");
    EXPECT_EQ(child.parent, parent.id());
    EXPECT_THAT(child.spawned_in, MatchesRegex("spawn_in_named_function\\(tendril::v1::event&\\) "
                                               "\\(inspect_test\\+0x[0-9a-f]+\\)"));
    EXPECT_THAT(tendril::to_string(all),
                ContainsRegex("#[0-9]+ \"child\" waits: event 0x[0-9a-f]+; spawned in "
                              "spawn_in_named_function.* by #[0-9]+ \"parent\"\n"));
    go.set();
    go.clear();
    while (grandchild == 0) {
        tendril::this_fiber::yield();
    }
    EXPECT_THAT(find(tendril::fibers(), "").spawned_in, HasSubstr("spawn_plainly"));
    go.set();
    parent.join();
}

TEST(Inspect, WhatOneWaitsFor) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    char byte;
    EXPECT_EQ(waited_for([&] { tendril::io::read(ends[0], &byte, 1); }),
              "read fd " + std::to_string(ends[0]));
    ::close(ends[0]);
    ::close(ends[1]);
    EXPECT_EQ(waited_for([] { tendril::this_fiber::sleep_for(1h); }), "sleep");
    EXPECT_THAT(waited_for([] { tendril::channel<int>().receive(); }), HasSubstr("channel"));
    tendril::event never;
    fiber<void> joined = spawn([&] { never.wait(); });
    EXPECT_EQ(waited_for([&] { joined.join(); }), "join fiber #" + std::to_string(joined.id()));
    never.set();
    joined.join();
}

TEST(Inspect, ADeadline) {
    fiber<void> f = spawn({"sleeper"}, [] { tendril::this_fiber::sleep_for(1h); });
    tendril::this_fiber::yield();
    const std::vector<fiber_info> all = tendril::fibers();
    EXPECT_GT(find(all, "sleeper").deadline, std::chrono::steady_clock::now() + 50min);
    EXPECT_LT(find(all, "sleeper").deadline, std::chrono::steady_clock::now() + 2h);
    EXPECT_THAT(tendril::to_string(all),
                ContainsRegex("waits: sleep, for 3[56][0-9]{2}\\.[0-9]+ s"));
    f.cancel();
    f.join();
}

template <typename Mutex>
std::string waits_for_mutex_of(const std::string& holder) {
    Mutex m;
    tendril::event go;
    fiber<void> holds;
    if (holder.empty()) {
        m.lock();
    } else {
        holds = spawn({holder}, [&] {
            m.lock();
            go.wait();
            m.unlock();
        });
    }
    fiber<void> waits = spawn({"waits"}, [&] {
        m.lock();
        m.unlock();
    });
    tendril::this_fiber::yield();
    const std::string text = find(tendril::fibers(), "waits").waits_for;
    if (holder.empty()) {
        m.unlock();
    }
    go.set();
    waits.join();
    if (holds) {
        holds.join();
    }
    return text;
}

TEST(Inspect, WhoHoldsAMutex) {
    EXPECT_THAT(waits_for_mutex_of<tendril::mutex>("owner"),
                MatchesRegex("mutex 0x[0-9a-f]+, held by #[0-9]+ \"owner\""));
    EXPECT_THAT(waits_for_mutex_of<tendril::mutex>(""),
                MatchesRegex("mutex 0x[0-9a-f]+, held by #[0-9]+ \"main\""));
    EXPECT_THAT(waits_for_mutex_of<tendril::recursive_mutex>("owner"), HasSubstr("\"owner\""));
    EXPECT_THAT(waits_for_mutex_of<tendril::shared_mutex>("owner"),
                MatchesRegex("shared_mutex 0x[0-9a-f]+, held by #[0-9]+ \"owner\""));
}

TEST(Inspect, AMutexHeldElsewhere) {
    tendril::mutex m;
    tendril::event locked;
    tendril::event go;
    std::thread other([&] {
        m.lock();
        locked.set();
        go.wait();
        m.unlock();
    });
    locked.wait();
    fiber<void> waits = spawn({"waits"}, [&] {
        m.lock();
        m.unlock();
    });
    tendril::this_fiber::yield();
    EXPECT_THAT(find(tendril::fibers(), "waits").waits_for, HasSubstr("held by another thread"));
    go.set();
    waits.join();
    other.join();
    tendril::shared_mutex s;
    s.lock_shared();
    waits = spawn({"waits"}, [&] {
        s.lock();
        s.unlock();
    });
    tendril::this_fiber::yield();
    EXPECT_THAT(find(tendril::fibers(), "waits").waits_for, HasSubstr("shared by others"));
    s.unlock_shared();
    waits.join();
}

TEST(Inspect, AnotherHubIsAskedThere) {
    tendril::channel<tendril::hub> hubs;
    tendril::event done;
    std::thread other([&] {
        fiber<void> f = spawn({"over there"}, [&] { done.wait(); });
        hubs.send(tendril::hub::current());
        f.join();
    });
    const tendril::hub there = *hubs.receive();
    const std::vector<fiber_info> all = spawn(there, {"inspector"}, tendril::fibers).get();
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].waits_for.substr(0, 4), "join");
    EXPECT_EQ(find(all, "over there").parent, all[0].id);
    EXPECT_EQ(find(all, "inspector").state, fiber_state::running);
    EXPECT_EQ(find(all, "inspector").parent, tendril::this_fiber::id());
    done.set();
    other.join();
}

std::string read_all(int fd) {
    std::string text(4096, '\0');
    const ssize_t n = ::read(fd, text.data(), text.size());
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

TEST(Inspect, DumpsGoToAnFd) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    fiber<void> f = spawn({"dumped"}, [] {});
    tendril::dump_fibers(ends[1]);
    EXPECT_THAT(read_all(ends[0]),
                MatchesRegex("#[0-9]+ \"main\" runs\n"
                             "#[0-9]+ \"dumped\" has not begun; spawned in .*Inspect.* by #[0-9]+ "
                             "\"main\"\n"));
    EXPECT_EQ(tendril_dump_fibers(ends[1]), 0);
    EXPECT_THAT(read_all(ends[0]), HasSubstr("\"dumped\" has not begun"));
    ::close(ends[0]);
    ::close(ends[1]);
    EXPECT_THROW(tendril::dump_fibers(ends[1]), std::system_error);
    errno = 0;
    EXPECT_EQ(tendril_dump_fibers(ends[1]), -1);
    EXPECT_EQ(errno, EBADF);
    f.join();
}

} // namespace

extern "C" [[gnu::noinline]] tendril_fiber* spawn_from_c(void* until) {
    const tendril_spawn_options options{"c", 0};
    tendril_fiber* f = tendril_spawn(
        [](void* e) -> void* {
            static_cast<tendril::event*>(e)->wait();
            return nullptr;
        },
        until, &options);
    asm volatile("" : : "r"(f)); // so that this is no tail call
    return f;
}

namespace {

TEST(Inspect, FibersOfC) {
    tendril::event go;
    tendril_fiber* f = spawn_from_c(&go);
    tendril::this_fiber::yield();
    EXPECT_THAT(find(tendril::fibers(), "c").spawned_in, HasSubstr("spawn_from_c"));
    go.set();
    tendril_join(f, nullptr);
}

TEST(Inspect, AThousand) {
    tendril::event go;
    std::vector<fiber<void>> all;
    for (int i = 0; i < 1000; ++i) {
        all.push_back(spawn_plainly(go));
    }
    const std::vector<fiber_info> infos = tendril::fibers();
    ASSERT_EQ(infos.size(), 1001u);
    for (std::size_t i = 0; i < 1000; ++i) {
        EXPECT_EQ(infos[i + 1].id, all[i].id());
    }
    go.set();
    for (auto& f : all) {
        f.join();
    }
}

} // namespace
