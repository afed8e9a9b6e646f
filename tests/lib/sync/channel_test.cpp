// SPDX-License-Identifier: BSL-1.0
// Channels and select: every value arrives once, in order, and nobody waits for what is there.
#include <tendril/channel.hpp>
#include <tendril/event.hpp>
#include <tendril/select.hpp>

#include "settings.hpp"

#include <cerrno>
#include <map>
#include <memory>
#include <sys/select.h>
#include <system_error>

namespace tendril::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Channels : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Channels, every_setting, name_of);

constexpr int rounds = 5;

/// What a receiver has got, checked as it comes: of each sender in the order of sending.
class received {
public:
    void note(int sender, int number) {
        int& last = last_.try_emplace(sender, -1).first->second;
        EXPECT_LT(last, number) << "of sender " << sender;
        last = number;
        ++count_;
    }
    int count() const { return count_; }

private:
    std::map<int, int> last_;
    int count_ = 0;
};

struct parcel {
    parcel(int from, int n)
        : sender(from)
        , number(std::make_unique<int>(n)) {}
    int sender;
    std::unique_ptr<int> number; // so that it can only be moved, and leaks are found
};

void every_value_arrives_once(world& w, std::size_t capacity) {
    channel<parcel> c(capacity);
    std::atomic<int> senders{3};
    std::atomic<int> total{0};
    const auto sends = [&](int name) {
        return [&, name] {
            for (int i = 0; i < rounds; ++i) {
                parcel p(name, i);
                while (!c.send_until(std::move(p), w.deadline())) {
                    EXPECT_EQ(*p.number, i) << "taken, and yet not sent";
                }
                EXPECT_EQ(p.number, nullptr);
            }
            if (--senders == 0) {
                c.close();
            }
        };
    };
    const actor receives = [&] {
        received all;
        while (!c.drained()) {
            if (const std::optional<parcel> p = c.receive_until(w.deadline())) {
                all.note(p->sender, *p->number);
            }
        }
        total += all.count();
    };
    w.run({sends(1), receives, receives, sends(2), sends(3), receives});
    EXPECT_EQ(total, 3 * rounds);
    EXPECT_TRUE(c.drained());
}

TEST_P(Channels, EveryValueArrivesOnce) {
    for (const std::size_t capacity : {0U, 1U, 3U}) {
        in_each_world([capacity](world& w) { every_value_arrives_once(w, capacity); });
    }
}

TEST_P(Channels, TheEndsCloseTheChannel) {
    in_each_world([](world& w) {
        auto ends = make_channel<parcel>(1);
        std::atomic<int> total{0};
        std::vector<actor> all;
        for (int name = 0; name < 3; ++name) {
            // An actor is copied; its ends are given up when it has run.
            auto to = std::make_shared<sender<parcel>>(ends.first);
            all.emplace_back([to, name] {
                for (int i = 0; i < rounds; ++i) {
                    to->send({name, i});
                }
                to->close();
            });
            auto from = std::make_shared<receiver<parcel>>(ends.second);
            all.emplace_back([from, &total] {
                received got;
                for (const parcel& p : *from) {
                    got.note(p.sender, *p.number);
                }
                total += got.count();
            });
        }
        ends.first.close();
        w.run(all);
        EXPECT_EQ(total, 3 * rounds);
        EXPECT_TRUE(ends.second.drained());
    });
}

/// Everybody is in two channels at once, each as sender and as receiver.
TEST_P(Channels, SelectsMeetSelects) {
    in_each_world([](world& w) {
        channel<int> a;
        channel<int> b(1);
        constexpr int actors = 4;
        std::atomic<int> sent{0};
        std::atomic<int> got{0};
        std::atomic<int> at_work{actors};
        const actor one = [&] {
            for (int left = rounds; left != 0;) {
                int x = 1;
                int y = 1;
                const auto take = [&](std::optional<int> v) { got += v.value(); };
                const auto given = [&] {
                    ++sent;
                    --left;
                };
                const std::size_t chosen = select(
                    on_send(a, std::move(x), given), on_receive(b, take), on_receive(a, take),
                    on_send(b, std::move(y), given), on_timeout(w.deadline()));
                EXPECT_LT(chosen, 5u);
            }
            --at_work;
            // Somebody must receive what the others still have to send.
            while (at_work != 0) {
                select(on_receive(a, [&](std::optional<int> v) { got += *v; }),
                       on_receive(b, [&](std::optional<int> v) { got += *v; }),
                       on_default([] { world::pause(); }));
            }
        };
        w.run(std::vector<actor>(actors, one));
        while (const std::optional<int> left = b.try_receive()) {
            got += *left;
        }
        EXPECT_EQ(sent, actors * rounds);
        EXPECT_EQ(got, sent.load());
    });
}

TEST_P(Channels, ClosingEndsAllWaits) {
    in_each_world([](world& w) {
        channel<int> in;
        channel<int> out;
        std::atomic<int> ended{0};
        const actor receives = [&] {
            EXPECT_EQ(in.receive(), std::nullopt);
            ++ended;
        };
        const actor sends = [&] {
            EXPECT_THROW(out.send(1), std::system_error);
            ++ended;
        };
        const actor selects = [&] {
            bool closed = false;
            while (!closed) {
                select(on_receive(in, [&](std::optional<int> v) { closed = !v; }),
                       on_timeout(w.deadline()));
            }
            EXPECT_THROW(select(on_send(out, 1)), std::system_error);
            ++ended;
        };
        const actor closes = [&] {
            world::pause();
            in.close();
            out.close();
        };
        w.run({receives, sends, selects, closes, receives, sends, selects});
        EXPECT_EQ(ended, 6);
    });
}

// --------------------------------------------------------------------------------- on one hub

TEST(Channel, ARendezvousEndsWhenTheValueWasReceived) {
    fake_hub hub;
    channel<std::string> c;
    std::string order;
    fiber<void> f = spawn([&] {
        c.send("v");
        order += 's';
    });
    hub->yield();
    EXPECT_EQ(order, "");
    EXPECT_EQ(c.receive(), "v");
    f.join();
    EXPECT_EQ(order, "s");
    EXPECT_FALSE(c.try_send("nobody"));
    EXPECT_EQ(c.try_receive(), std::nullopt);
}

TEST(Channel, ABufferTakesSoMany) {
    fake_hub hub;
    channel<std::string> c(2);
    EXPECT_EQ(c.capacity(), 2u);
    EXPECT_TRUE(c.try_send("a"));
    EXPECT_TRUE(c.try_send("b"));
    std::string kept = "c";
    EXPECT_FALSE(c.try_send(std::move(kept)));
    EXPECT_EQ(kept, "c");
    EXPECT_EQ(c.size(), 2u);
    EXPECT_EQ(c.receive(), "a");
    EXPECT_TRUE(c.send_for(std::move(kept), seconds(0)));
    c.close();
    EXPECT_TRUE(c.closed());
    EXPECT_FALSE(c.drained());
    EXPECT_EQ(c.receive(), "b");
    EXPECT_EQ(c.receive(), "c");
    EXPECT_EQ(c.receive(), std::nullopt);
    EXPECT_TRUE(c.drained());
    try {
        c.send("late");
        ADD_FAILURE();
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), EPIPE);
    }
}

TEST(Channel, WhoWaitsIsServedInOrder) {
    fake_hub hub;
    channel<int> c;
    std::string order;
    for (const char name : {'a', 'b', 'c'}) {
        spawn([&, name] { order += name + std::to_string(*c.receive()); }).detach();
    }
    hub->yield();
    for (int i = 1; i <= 3; ++i) {
        c.send(i);
    }
    hub.run();
    EXPECT_EQ(order, "a1b2c3");
    for (int i = 1; i <= 3; ++i) {
        spawn([&, i] { c.send(i); }).detach();
    }
    hub->yield();
    EXPECT_EQ(c.receive(), 1);
    EXPECT_EQ(c.receive(), 2);
    EXPECT_EQ(c.receive(), 3);
    hub.run();
}

TEST(Channel, WhatIsLeftInItIsDestroyed) {
    const auto value = std::make_shared<int>(1);
    {
        channel<std::shared_ptr<int>> c(3);
        c.send(value);
        c.send(value);
        EXPECT_EQ(c.receive(), value);
        c.send(value);
        c.send(value); // beyond the end of the ring
        EXPECT_EQ(value.use_count(), 4);
    }
    EXPECT_EQ(value.use_count(), 1);
    {
        auto [to, from] = make_channel<std::shared_ptr<int>>(1);
        to.send(value);
        from.close(); // nobody will receive it
        EXPECT_EQ(value.use_count(), 1);
        EXPECT_THROW(to.send(value), std::system_error);
    }
    EXPECT_EQ(value.use_count(), 1);
}

TEST(Channel, NeedsNoHubWhereNobodyWaits) {
    std::thread([] {
        channel<int> c(1);
        c.send(1);
        EXPECT_EQ(c.receive(), 1);
        EXPECT_EQ(c.try_receive(), std::nullopt);
        select(on_send(c, 2), on_default());
        c.close();
        EXPECT_EQ(hub_core::current_or_null(), nullptr);
    }).join();
}

TEST(Channel, DeadlinesEndWaits) {
    fake_hub hub;
    channel<int> c;
    const time_point at = hub->now() + milliseconds(3);
    EXPECT_EQ(c.receive_until(at), std::nullopt);
    EXPECT_FALSE(c.drained());
    EXPECT_EQ(hub->now(), at);
    EXPECT_FALSE(c.send_until(1, at + milliseconds(1)));
    EXPECT_FALSE(c.try_send(1)) << "a receiver that left is still there";
    bool timed_out = false;
    EXPECT_EQ(select(on_receive(c, [](std::optional<int>) {}), on_send(c, 1),
                     on_timeout(at + milliseconds(2), [&] { timed_out = true; })),
              2u);
    EXPECT_TRUE(timed_out);
    EXPECT_EQ(hub->now(), at + milliseconds(2));
}

TEST(Select, TakesWhatIsThere) {
    fake_hub hub;
    channel<int> full(1);
    channel<int> empty(1);
    full.send(1);
    EXPECT_EQ(select(on_default(), on_receive(empty, [](std::optional<int>) {})), 0u);
    int got = 0;
    const auto take = [&](std::optional<int> v) { got = v.value(); };
    EXPECT_EQ(select(on_send(full, 2), on_receive(full, take), on_default()), 1u);
    EXPECT_EQ(got, 1);
    EXPECT_EQ(select(on_receive(empty, take), on_send(empty, 3)), 1u);
    EXPECT_EQ(empty.receive(), 3);
}

/// A program that has both names in one namespace means select(2) by what it passes.
TEST(Select, LeavesTheSystemCallAlone) {
    using ::select;
    using tendril::select;
    timeval at_once{};
    EXPECT_EQ(select(0, nullptr, nullptr, nullptr, &at_once), 0);
}

TEST(Select, StarvesNoCase) {
    fake_hub hub;
    reset_select_order();
    channel<int> c[3] = {channel<int>(1), channel<int>(1), channel<int>(1)};
    int chosen[3] = {};
    for (int i = 0; i < 3000; ++i) {
        for (channel<int>& each : c) {
            each.try_send(1);
        }
        const auto ignore = [](std::optional<int>) {};
        ++chosen[select(on_receive(c[0], ignore), on_receive(c[1], ignore),
                        on_receive(c[2], ignore))];
    }
    for (const int each : chosen) {
        EXPECT_GT(each, 800);
    }
}

/// One that stands in many channels leaves them all when one has something.
TEST(Select, LeavesTheOtherChannels) {
    fake_hub hub;
    channel<int> a;
    channel<int> b;
    fiber<void> f = spawn([&] {
        select(on_receive(a, [](std::optional<int>) {}), on_receive(b, [](std::optional<int>) {}),
               on_receive(a, [](std::optional<int>) {}));
    });
    hub->yield();
    EXPECT_TRUE(b.try_send(1));
    EXPECT_FALSE(a.try_send(1));
    EXPECT_FALSE(b.try_send(1));
    f.join();
}

} // namespace
} // namespace tendril::detail
