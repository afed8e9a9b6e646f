// SPDX-License-Identifier: BSL-1.0
// As each_wait_test, for waits of many things, task groups and pools: a fiber is ended at each of
// its waits in turn, and nothing that it started is left.
#include "lib/sync/each_wait.hpp"

#include <deque>
#include <functional>
#include <vector>

namespace tendril {
namespace {

using std::chrono::milliseconds;
using test::injection;
using this_fiber::sleep_for;
using this_fiber::yield;

constexpr unsigned seeds = test::sanitized ? 50 : 300;
constexpr std::size_t things = 4;

class EachWaitOf : public test::each_wait {
protected:
    static void in_each_run(const std::function<void(injection&)>& scenario) {
        each_wait::in_each_run(scenario, seeds);
    }
};

INSTANTIATE_TEST_SUITE_P(By, EachWaitOf, test::each_ending, test::name_of);

/// Counts those that are inside, however they leave.
class visit {
public:
    explicit visit(int& count)
        : count_(count) {
        ++count_;
    }
    ~visit() { --count_; }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

private:
    int& count_;
};

TEST_P(EachWaitOf, ManyThings) {
    in_each_run([](injection& i) {
        std::deque<event> events(things);
        std::vector<fiber<int>> fibers;
        for (std::size_t n = 0; n < things; ++n) {
            fibers.push_back(spawn([&events, n] {
                sleep_for(milliseconds(n));
                events[n].set();
                yield();
                return static_cast<int>(n);
            }));
        }
        const bool finished = i.run([&] {
            wait_any(events, fibers);
            EXPECT_EQ(wait_n(2, fibers).size(), 2u);
            std::size_t count = 0;
            for (event& e : as_completed(events)) {
                EXPECT_TRUE(e.is_set());
                ++count;
                yield();
            }
            EXPECT_EQ(count, things);
            join_all(events, fibers);
        });
        EXPECT_TRUE(finished || i.injected());
        EXPECT_EQ(gather(fibers), (std::vector<int>{0, 1, 2, 3})); // they never knew
    });
}

TEST_P(EachWaitOf, TheOwnerOfATaskGroup) {
    in_each_run([](injection& i) {
        int inside = 0;
        const bool finished = i.run([&] {
            channel<int> numbers;
            task_group group;
            const int ready = group.start<int>([&](const started<int>& tell) {
                const visit v(inside);
                yield();
                tell(7);
                for (const int n : numbers) {
                    EXPECT_GE(n, 0);
                }
            });
            EXPECT_EQ(ready, 7);
            for (int n = 0; n < 3; ++n) {
                group.spawn([&, n] {
                    const visit v(inside);
                    sleep_for(milliseconds(n));
                });
                numbers.send(n);
            }
            numbers.close();
            group.wait();
            EXPECT_EQ(inside, 0);
        });
        EXPECT_EQ(inside, 0);
        EXPECT_TRUE(finished || i.injected());
    });
}

TEST_P(EachWaitOf, ATaskOfAGroup) {
    in_each_run([](injection& i) {
        int inside = 0;
        const bool finished = i.run([&] {
            with_task_group([&](task_group& group) {
                for (int n = 0; n < 2; ++n) {
                    group.spawn([&] {
                        const visit v(inside);
                        for (int turn = 0; turn < 2; ++turn) {
                            sleep_for(milliseconds(1));
                        }
                        group.spawn([&] {
                            const visit sibling(inside);
                            yield();
                        });
                    });
                }
                yield();
                sleep_for(milliseconds(1));
            });
            EXPECT_EQ(inside, 0);
        });
        EXPECT_EQ(inside, 0);
        EXPECT_TRUE(finished || i.injected());
    });
}

TEST_P(EachWaitOf, AFailingGroup) {
    in_each_run([](injection& i) {
        int inside = 0;
        i.run([&] {
            try {
                with_task_group([&](task_group& group) {
                    group.spawn([&] {
                        const visit v(inside);
                        sleep_for(milliseconds(2));
                        throw std::out_of_range("far");
                    });
                    group.spawn([&] {
                        const visit v(inside);
                        sleep_for(std::chrono::hours(1));
                    });
                    sleep_for(milliseconds(1));
                    sleep_for(std::chrono::hours(1));
                });
                ADD_FAILURE() << "nothing thrown";
            } catch (const std::out_of_range&) {
            }
        });
        EXPECT_EQ(inside, 0);
    });
}

TEST_P(EachWaitOf, APool) {
    in_each_run([](injection& i) {
        int inside = 0;
        fiber_pool pool(2);
        const auto work = [&](int n) {
            const visit v(inside);
            EXPECT_LE(inside, 2);
            sleep_for(milliseconds(n % 3));
            return n;
        };
        const std::vector<int> items = {1, 2, 3, 4, 5};
        const bool finished = i.run([&] {
            for (const int n : items) {
                pool.spawn(work, n).detach();
            }
            EXPECT_EQ(pool.map(items, work), items);
            int sum = 0;
            for (const int n : pool.map_unordered(items, work)) {
                sum += n;
                yield();
            }
            EXPECT_EQ(sum, 15);
            pool.join();
        });
        pool.join();
        EXPECT_EQ(inside, 0);
        EXPECT_EQ(pool.running(), 0u);
        EXPECT_TRUE(finished || i.injected());
    });
}

} // namespace
} // namespace tendril
