// SPDX-License-Identifier: BSL-1.0
// What hands values on, and what waits for fibers, with one that is ended at each of its waits in
// turn.
#include "lib/sync/each_wait.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

namespace tendril {
namespace {

using detail::hub_core;
using std::chrono::milliseconds;
using test::company;
using test::injection;
using this_fiber::sleep_for;
using this_fiber::yield;

constexpr int rounds = 3;

class EachValueWait : public test::each_wait {};

INSTANTIATE_TEST_SUITE_P(By, EachValueWait, test::each_ending, test::name_of);

// ------------------------------------------------------------------------------------ values

/// What was received by all together: each value once, in order.
class values {
public:
    void add(int v) { got_.push_back(v); }
    void expect_all(int count) const {
        std::vector<int> all(static_cast<std::size_t>(count));
        std::iota(all.begin(), all.end(), 0);
        EXPECT_EQ(got_, all);
    }
    std::size_t count() const { return got_.size(); }

private:
    std::vector<int> got_;
};

void receives(injection& i, std::size_t capacity) {
    channel<std::unique_ptr<int>> c(capacity);
    values got;
    const auto receive_all = [&] {
        while (const auto v = c.receive()) {
            got.add(**v);
        }
    };
    company others;
    others.add([&] {
        for (int n = 0; n < 2 * rounds; ++n) {
            c.send(std::make_unique<int>(n));
            if (n % 2 == 0) {
                yield();
            }
        }
        c.close();
    });
    i.run(receive_all);
    receive_all();
    got.expect_all(2 * rounds);
}

TEST_P(EachValueWait, OfAReceiver) {
    in_each_run([](injection& i) { receives(i, 0); });
    in_each_run([](injection& i) { receives(i, 2); });
}

/// A value whose send was cut short is still the sender's, and nobody has got it.
void sends(injection& i, std::size_t capacity) {
    channel<std::unique_ptr<int>> c(capacity);
    values got;
    int sent = 0;
    const auto send_all = [&] {
        for (; sent < 2 * rounds; ++sent) {
            c.send(std::make_unique<int>(sent));
        }
    };
    company others;
    others.add([&] {
        while (const auto v = c.receive()) {
            got.add(**v);
            yield();
            yield();
        }
    });
    i.run(send_all);
    send_all();
    c.close();
    while (got.count() < static_cast<std::size_t>(sent)) {
        yield();
    }
    got.expect_all(2 * rounds);
}

TEST_P(EachValueWait, OfASender) {
    in_each_run([](injection& i) { sends(i, 0); });
    in_each_run([](injection& i) { sends(i, 2); });
}

TEST_P(EachValueWait, OfASelection) {
    in_each_run([](injection& i) {
        channel<int> numbers;
        channel<int> answers(1);
        channel<int> silent;
        values got;
        int sent = 0;
        int answered = 0;
        company c;
        c.add([&] {
            for (; sent < 2 * rounds; ++sent) {
                numbers.send(sent);
            }
            numbers.close();
        });
        c.add([&] {
            while (answers.receive()) {
                ++answered;
            }
        });
        bool open = true;
        int offered = 0;
        const auto all = [&] {
            while (open) {
                select(on_receive(numbers,
                                  [&](std::optional<int> v) {
                                      open = v.has_value();
                                      if (v) {
                                          got.add(*v);
                                      }
                                  }),
                       on_receive(silent, [](std::optional<int>) { ADD_FAILURE(); }),
                       on_send(answers, 1, [&] { ++offered; }));
            }
        };
        i.run(all);
        all();
        answers.close();
        while (answered < offered) {
            yield();
        }
        got.expect_all(2 * rounds);
        EXPECT_EQ(answered, offered);
        EXPECT_FALSE(silent.try_send(1)) << "it has left somebody behind";
        EXPECT_FALSE(silent.try_receive());
    });
}

template <typename Queue>
void takes_from(injection& i) {
    Queue q;
    std::vector<int> got;
    company c;
    c.add([&] {
        for (int n = 0; n < 2 * rounds; ++n) {
            q.put(n);
            yield();
        }
        q.shutdown();
    });
    const auto take_all = [&] {
        while (const auto v = q.next()) {
            got.push_back(*v);
            q.task_done();
        }
    };
    i.run(take_all);
    take_all();
    std::sort(got.begin(), got.end());
    std::vector<int> all(2 * rounds);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(got, all);
    q.join();
}

TEST_P(EachValueWait, OfOneWhoTakesFromAQueue) {
    in_each_run(takes_from<queue<int>>);
    in_each_run(takes_from<lifo_queue<int>>);
    in_each_run(takes_from<priority_queue<int>>);
}

TEST_P(EachValueWait, OfOneWhoPutsIntoAFullQueue) {
    in_each_run([](injection& i) {
        queue<int> q(1);
        values got;
        int put = 0;
        const auto put_all = [&] {
            for (; put < 2 * rounds; ++put) {
                q.put(put);
            }
        };
        company c;
        c.add([&] {
            while (const auto v = q.next()) {
                got.add(*v);
                yield();
                yield();
                q.task_done();
            }
        });
        i.run(put_all);
        put_all();
        q.join();
        got.expect_all(2 * rounds);
        q.shutdown();
    });
}

TEST_P(EachValueWait, ForAQueueToBeDone) {
    in_each_run([](injection& i) {
        queue<int> q;
        company c;
        for (int n = 0; n < rounds; ++n) {
            q.put(n);
        }
        c.add([&] {
            while (const auto v = q.next()) {
                sleep_for(milliseconds(1));
                q.task_done();
            }
        });
        i.run([&] { q.join(); });
        q.join();
        q.shutdown();
    });
}

TEST_P(EachValueWait, OfAFuture) {
    in_each_run([](injection& i) {
        promise<int> p;
        const shared_future<int> result = p.get_future().share();
        packaged_task<int()> call([] {
            yield();
            return 4;
        });
        future<int> called = call.get_future();
        company c;
        c.add([&] {
            yield();
            p.set_value(3);
            call();
        });
        i.run([&] {
            EXPECT_EQ(result.get(), 3);
            called.wait();
        });
        EXPECT_EQ(result.get(), 3);
        EXPECT_EQ(called.get(), 4);
    });
}

/// The fiber that would have set it is the one that ends: no one waits in vain.
TEST_P(EachValueWait, OfOneWhoPromised) {
    in_each_run([](injection& i) {
        promise<int> p;
        future<int> result = p.get_future();
        const bool finished = i.run([&, mine = std::make_unique<promise<int>>(std::move(p))] {
            yield();
            sleep_for(milliseconds(1));
            mine->set_value(1);
        });
        try {
            EXPECT_EQ(result.get(), 1);
            EXPECT_TRUE(finished);
        } catch (const std::future_error& e) {
            EXPECT_EQ(e.code(), std::future_errc::broken_promise);
            EXPECT_FALSE(finished);
        }
    });
}

// ------------------------------------------------------------------------------------ fibers

TEST_P(EachValueWait, OfAJoin) {
    in_each_run([](injection& i) {
        fiber<int> f = spawn([] {
            for (int n = 0; n < rounds; ++n) {
                yield();
            }
            sleep_for(milliseconds(1));
            return 5;
        });
        fiber<int> g = spawn([] {
            sleep_for(milliseconds(2));
            return 6;
        });
        i.run([&] {
            f.join();
            static_cast<void>(g.join_until(hub_core::current().now() + milliseconds(5)));
            hub_core::current().drain();
        });
        EXPECT_EQ(f.get(), 5);
        EXPECT_EQ(g.get(), 6);
    });
}

TEST_P(EachValueWait, OfADrain) {
    in_each_run([](injection& i) {
        company c;
        c.add([] { sleep_for(milliseconds(2)); });
        i.run([] { hub::current().drain(); });
    });
}

/// What it owns ends, on its stack, in order; what must wait there is not disturbed.
TEST_P(EachValueWait, ThatUnwinds) {
    in_each_run([](injection& i) {
        std::vector<int> ended;
        event go;
        struct waits_at_the_end {
            std::vector<int>& ended;
            int number;
            event& go;
            ~waits_at_the_end() {
                const shield whole;
                go.wait();
                sleep_for(milliseconds(1));
                ended.push_back(number);
            }
        };
        company c;
        c.add([&] {
            sleep_for(milliseconds(5));
            go.set();
        });
        i.run([&] {
            static fiber_local<std::shared_ptr<int>> kept;
            *kept = std::make_shared<int>(1);
            const waits_at_the_end first{ended, 1, go};
            yield();
            const waits_at_the_end second{ended, 2, go};
            sleep_for(milliseconds(1));
        });
        EXPECT_TRUE(ended == std::vector<int>({2, 1}) || ended == std::vector<int>({1}));
    });
}

} // namespace
} // namespace tendril
