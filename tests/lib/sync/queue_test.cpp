// SPDX-License-Identifier: BSL-1.0
// Queues after Python's: what is put in comes out once, in the queue's order; shut down and joined.
#include <tendril/queue.hpp>

#include "settings.hpp"

#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace tendril::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Queues : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Queues, every_setting, name_of);

constexpr int rounds = 5;

void every_task_is_done_once(world& w, std::size_t max_size) {
    queue<std::unique_ptr<int>> q(max_size);
    std::atomic<int> producing{3};
    std::atomic<int> sum{0};
    const actor puts = [&] {
        for (int i = 1; i <= rounds; ++i) {
            auto value = std::make_unique<int>(i);
            while (!q.put_until(std::move(value), w.deadline())) {
                EXPECT_NE(value, nullptr);
            }
        }
        if (--producing == 0) {
            while (!q.join_until(w.deadline())) {
            }
            EXPECT_EQ(sum, 3 * rounds * (rounds + 1) / 2);
            q.shutdown();
        }
    };
    const actor gets = [&] {
        try {
            for (;;) {
                if (const auto value = q.get_until(w.deadline())) {
                    sum += **value;
                    world::pause();
                    q.task_done();
                }
            }
        } catch (const std::system_error& e) {
            EXPECT_EQ(e.code().value(), ESHUTDOWN);
        }
    };
    w.run({puts, gets, gets, puts, puts, gets});
    EXPECT_TRUE(q.empty());
    EXPECT_TRUE(q.join_for(seconds(0)));
}

TEST_P(Queues, EveryTaskIsDoneOnce) {
    for (const std::size_t max_size : {0U, 1U, 3U}) {
        in_each_world([max_size](world& w) { every_task_is_done_once(w, max_size); });
    }
}

TEST_P(Queues, ShuttingDownAtOnceDropsWhatIsLeft) {
    in_each_world([](world& w) {
        queue<std::shared_ptr<int>> q(2);
        const auto value = std::make_shared<int>(1);
        std::atomic<int> put{0};
        std::atomic<int> got{0};
        const actor puts = [&] {
            try {
                for (;;) {
                    q.put(value);
                    ++put;
                }
            } catch (const std::system_error& e) {
                EXPECT_EQ(e.code().value(), ESHUTDOWN);
            }
        };
        const actor gets = [&] {
            for (const auto& v : q) {
                got += *v;
                q.task_done();
                if (got > 10) {
                    q.shutdown(true);
                }
            }
        };
        w.run({puts, gets, puts, gets});
        q.join();
        EXPECT_TRUE(q.empty());
        EXPECT_EQ(value.use_count(), 1);
        EXPECT_LE(got, put.load());
    });
}

// ------------------------------------------------------------------------------------ on one hub

TEST(Queue, OrdersWhatIsPutIn) {
    queue<int> first;
    lifo_queue<int> last;
    priority_queue<int> smallest;
    priority_queue<int, std::greater<int>> greatest;
    for (const int n : {2, 3, 1}) {
        first.put(n);
        last.put(n);
        smallest.put(n);
        greatest.put(n);
    }
    const auto drained = [](auto& q) {
        std::string order;
        while (const std::optional<int> n = q.try_get()) {
            order += std::to_string(*n);
        }
        return order;
    };
    EXPECT_EQ(drained(first), "231");
    EXPECT_EQ(drained(last), "132");
    EXPECT_EQ(drained(smallest), "123");
    EXPECT_EQ(drained(greatest), "321");
}

TEST(Queue, EqualPrioritiesKeepTheirOrder) {
    struct job {
        int urgency;
        std::unique_ptr<char> name;
        bool operator<(const job& other) const { return urgency < other.urgency; }
    };
    priority_queue<job> q;
    for (const char name : {'a', 'b', 'c', 'd'}) {
        q.put({name < 'c' ? 2 : 1, std::make_unique<char>(name)});
    }
    std::string order;
    for (int i = 0; i < 4; ++i) {
        order += *q.get().name;
    }
    EXPECT_EQ(order, "cdab");
}

TEST(Queue, WhoWaitsIsServedInOrder) {
    fake_hub hub;
    queue<int> q(1);
    std::string order;
    for (const char name : {'a', 'b', 'c'}) {
        spawn([&, name] { order += name + std::to_string(q.get()); }).detach();
    }
    hub->yield();
    for (int i = 1; i <= 3; ++i) {
        q.put(i);
    }
    hub.run();
    EXPECT_EQ(order, "a1b2c3");
}

TEST(Queue, HoldsNoMoreThanItsSize) {
    fake_hub hub;
    queue<std::string> q(2);
    EXPECT_EQ(q.max_size(), 2u);
    EXPECT_TRUE(q.try_put("a"));
    EXPECT_FALSE(q.full());
    EXPECT_TRUE(q.try_put("b"));
    EXPECT_TRUE(q.full());
    std::string c = "c";
    EXPECT_FALSE(q.try_put(std::move(c)));
    EXPECT_EQ(c, "c");
    const time_point at = hub->now() + milliseconds(2);
    EXPECT_FALSE(q.put_until(std::move(c), at));
    EXPECT_EQ(hub->now(), at);
    fiber<void> f = spawn([&] { q.put(std::move(c)); });
    hub->yield();
    EXPECT_EQ(q.get(), "a");
    f.join();
    EXPECT_EQ(q.size(), 2u);
}

TEST(Queue, IsDrainedAfterShutdown) {
    fake_hub hub;
    queue<int> q(1);
    q.put(1);
    fiber<void> f = spawn([&] { EXPECT_THROW(q.put(2), std::system_error); });
    hub->yield();
    q.shutdown();
    f.join();
    EXPECT_THROW(q.try_put(3), std::system_error);
    EXPECT_EQ(q.get(), 1);
    EXPECT_THROW(q.get(), std::system_error);
    EXPECT_THROW(q.try_get(), std::system_error);
    EXPECT_EQ(q.next(), std::nullopt);
    EXPECT_FALSE(q.join_until(hub->now())) << "a task is not done";
    q.task_done();
    q.join();
    EXPECT_THROW(q.task_done(), std::logic_error);
}

TEST(Queue, NeedsNoHubWhereNobodyWaits) {
    std::thread([] {
        queue<int> q(1);
        q.put(1);
        EXPECT_EQ(q.get(), 1);
        EXPECT_EQ(q.try_get(), std::nullopt);
        q.task_done();
        q.join();
        EXPECT_EQ(hub_core::current_or_null(), nullptr);
    }).join();
}

} // namespace
} // namespace tendril::detail
