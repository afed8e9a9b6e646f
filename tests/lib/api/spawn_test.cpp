// SPDX-License-Identifier: BSL-1.0
// What a fiber is given and what it gives back.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using tendril::fiber;
using tendril::spawn;
using testing::AllOf;
using testing::HasSubstr;

TEST(Spawn, ReturnsWhatTheFunctionReturns) {
    EXPECT_EQ(spawn([] { return 7; }).get(), 7);
    EXPECT_EQ(spawn([] { return std::string(1'000, 'x'); }).get().size(), 1'000u);
    spawn([] {}).get();
}

TEST(Spawn, MovesAMoveOnlyResult) {
    std::unique_ptr<int> p = spawn([] { return std::make_unique<int>(3); }).get();
    EXPECT_EQ(*p, 3);
}

TEST(Spawn, PassesAReferenceThrough) {
    int x = 1;
    fiber<int&> f = spawn([&x]() -> int& { return x; });
    f.get() = 2;
    EXPECT_EQ(x, 2);
}

TEST(Spawn, TakesAResultWithoutDefaultConstructor) {
    struct no_default {
        explicit no_default(int n)
            : value(n) {}
        int value;
    };
    EXPECT_EQ(spawn([] { return no_default(4); }).get().value, 4);
}

TEST(Spawn, CopiesArgumentsAsThreadsDo) {
    std::string s = "before";
    auto f = spawn([](std::string arg) { return arg; }, s);
    s = "after";
    EXPECT_EQ(f.get(), "before");

    auto g = spawn([](std::string& arg) { arg += "!"; }, std::ref(s));
    g.get();
    EXPECT_EQ(s, "after!");
}

TEST(Spawn, MovesMoveOnlyFunctionsAndArguments) {
    auto owned = std::make_unique<int>(5);
    auto f = spawn([p = std::move(owned)](std::unique_ptr<int> q) { return *p + *q; },
                   std::make_unique<int>(6));
    EXPECT_EQ(f.get(), 11);
}

TEST(Spawn, CallsMembersAndFunctionPointers) {
    struct counter {
        int n = 0;
        int add(int m) { return n += m; }
    } c;
    EXPECT_EQ(spawn(&counter::add, &c, 4).get(), 4);
    EXPECT_EQ(c.n, 4);
    int (*const plain)(int) = [](int n) { return n + 1; };
    EXPECT_EQ(spawn(plain, 1).get(), 2);
}

/// They end on the fiber, with the call, and not with the last handle.
TEST(Spawn, DestroysTheFunctionWhenItHasReturned) {
    const auto guard = std::make_shared<int>();
    fiber<void> f = spawn([guard] {});
    EXPECT_EQ(guard.use_count(), 2);
    f.join();
    EXPECT_EQ(guard.use_count(), 1);
}

TEST(Spawn, TheResultLivesAsLongAsTheHandle) {
    const auto guard = std::make_shared<int>();
    {
        fiber<std::shared_ptr<int>> f = spawn([guard] { return guard; });
        f.join();
        EXPECT_EQ(guard.use_count(), 2);
    }
    EXPECT_EQ(guard.use_count(), 1);
    spawn([guard] { return guard; }).detach();
    tendril::hub::current().drain();
    EXPECT_EQ(guard.use_count(), 1);
}

TEST(Spawn, GetRethrows) {
    auto f = spawn([]() -> int { throw std::out_of_range("too far"); });
    EXPECT_THROW(f.get(), std::out_of_range);
    auto odd = spawn([] { throw 5; });
    EXPECT_THROW(odd.get(), int);
}

TEST(Spawn, JoinDoesNotRethrowAndGetStillMay) {
    auto f = spawn([] { throw std::runtime_error("later"); });
    f.join();
    EXPECT_TRUE(f.ready());
    EXPECT_THROW(f.get(), std::runtime_error);
}

TEST(Spawn, GetWorksOnce) {
    auto f = spawn([] { return 1; });
    EXPECT_EQ(f.get(), 1);
    EXPECT_THROW(f.get(), std::logic_error);
    auto g = spawn([] { throw 1; });
    EXPECT_THROW(g.get(), int);
    EXPECT_THROW(g.get(), std::logic_error);
}

std::string printed_by(const std::function<void()>& what) {
    testing::internal::CaptureStderr();
    what();
    tendril::hub::current().drain();
    return testing::internal::GetCapturedStderr();
}

TEST(Spawn, AnExceptionThatNobodyCollectsIsPrintedWithTheName) {
    std::uint64_t id = 0;
    const std::string said = printed_by([&] {
        auto f = spawn({"crawl"}, [] { throw std::runtime_error("no such page"); });
        id = f.id();
    });
    EXPECT_THAT(said, AllOf(HasSubstr("tendril: fiber #" + std::to_string(id) + " \"crawl\""),
                            HasSubstr("std::runtime_error: no such page")));
    EXPECT_EQ(spawn([] { return 2; }).get(), 2) << "the hub goes on";
}

TEST(Spawn, AnUncollectedExceptionOfAnyTypeIsPrinted) {
    EXPECT_THAT(printed_by([] { spawn([] { throw 5; }).detach(); }),
                HasSubstr("no std::exception"));
    EXPECT_THAT(printed_by([] {
                    auto f = spawn([] { throw std::runtime_error("joined only"); });
                    f.join();
                }),
                HasSubstr("joined only"));
}

TEST(Spawn, ACollectedExceptionIsNotPrinted) {
    EXPECT_EQ(printed_by([] {
                  auto f = spawn([] { throw std::runtime_error("seen"); });
                  EXPECT_THROW(f.get(), std::runtime_error);
              }),
              "");
}

TEST(Spawn, NamesAndIds) {
    auto named = spawn({"worker"}, [] { return tendril::this_fiber::name(); });
    auto plain = spawn([] { return tendril::this_fiber::id(); });
    EXPECT_EQ(named.name(), "worker");
    EXPECT_EQ(plain.name(), "");
    EXPECT_EQ(named.get(), "worker");
    EXPECT_EQ(plain.get(), plain.id());
    EXPECT_EQ(tendril::this_fiber::name(), "main");
    EXPECT_NE(tendril::this_fiber::id(), 0u);
    EXPECT_NE(tendril::this_fiber::id(), plain.id());
}

TEST(Spawn, IdsAreNeverReused) {
    std::set<std::uint64_t> ids{0, tendril::this_fiber::id()};
    for (int i = 0; i < 2'000; ++i) {
        auto f = spawn([] {});
        EXPECT_TRUE(ids.insert(f.id()).second) << f.id();
        f.join();
    }
}

TEST(Spawn, ADroppedHandleLetsTheFiberRun) {
    bool ran = false;
    {
        auto f = spawn([&] { ran = true; });
    }
    EXPECT_FALSE(ran);
    auto g = spawn([] {});
    g.detach();
    EXPECT_FALSE(g.joinable());
    tendril::hub::current().drain();
    EXPECT_TRUE(ran);
}

TEST(Spawn, AssigningToAHandleDetachesWhatItHeld) {
    int ran = 0;
    auto f = spawn([&] { ++ran; });
    f = spawn([&] { ++ran; });
    f.join();
    EXPECT_EQ(ran, 2);
}

TEST(Spawn, AnEmptyHandleSaysSo) {
    fiber<int> none;
    EXPECT_FALSE(none);
    for (const std::function<void()>& use : std::vector<std::function<void()>>{
             [&] { none.join(); }, [&] { none.get(); }, [&] { static_cast<void>(none.ready()); },
             [&] { static_cast<void>(none.id()); }}) {
        try {
            use();
            ADD_FAILURE();
        } catch (const std::system_error& e) {
            EXPECT_EQ(e.code().value(), EINVAL);
        }
    }
    none.detach();
}

TEST(Spawn, AFunctionWhoseCopyThrowsSpawnsNothing) {
    struct throws_when_copied {
        throws_when_copied() = default;
        throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
        void operator()() const {}
    } const f;
    const auto before = tendril::hub::current().statistics();
    EXPECT_THROW(spawn(f), std::runtime_error);
    EXPECT_EQ(tendril::hub::current().statistics().spawned, before.spawned);
}

TEST(Spawn, StackSizesOutOfRangeAreRefusedWithTheRange) {
    const std::size_t least = tendril::minimum_stack_size();
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, least - 1, std::size_t{1} << 40, ~std::size_t{0}}) {
        try {
            spawn({"deep", size}, [] {});
            ADD_FAILURE() << size;
        } catch (const std::invalid_argument& e) {
            EXPECT_THAT(e.what(), AllOf(HasSubstr("\"deep\""), HasSubstr(std::to_string(size)),
                                        HasSubstr(std::to_string(least)),
                                        HasSubstr(std::to_string(std::size_t{64} << 30))));
        }
    }
    EXPECT_EQ(spawn({"", least}, [] { return 1; }).get(), 1);
}

TEST(Spawn, AFiberMayNeedALargeStack) {
    constexpr std::size_t megabyte = std::size_t{1} << 20;
    const auto deep = [] {
        volatile char frame[3 * megabyte];
        frame[0] = 1;
        frame[sizeof frame - 1] = 2;
        return frame[0] + frame[sizeof frame - 1];
    };
    EXPECT_EQ(spawn({"", 4 * megabyte}, deep).get(), 3);
}

TEST(Spawn, FibersSpawnFibers) {
    const std::function<int(int)> fibonacci = [&](int n) {
        if (n < 2) {
            return n;
        }
        auto left = spawn(fibonacci, n - 1);
        auto right = spawn(fibonacci, n - 2);
        return left.get() + right.get();
    };
    EXPECT_EQ(spawn(fibonacci, 10).get(), 55);
}

} // namespace
