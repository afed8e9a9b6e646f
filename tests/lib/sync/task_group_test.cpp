// SPDX-License-Identifier: BSL-1.0
// Task groups: no task outlives its group, the first error ends the others, no error is lost; on
// one hub and several, in any order, and given up at each wait.
#include <tendril/channel.hpp>
#include <tendril/event.hpp>
#include <tendril/task_group.hpp>
#include <tendril/timeout.hpp>

#include "settings.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tendril::detail {
namespace {

using namespace std::chrono_literals;

class Groups : public Settings {};
INSTANTIATE_TEST_SUITE_P(In, Groups, every_setting, name_of);

std::atomic<int> inside{0}; // tasks that run, or unwind

/// What every task here does: nobody may be inside when its group has ended.
struct visit {
    visit() { ++inside; }
    ~visit() { --inside; }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
};

/// Where a group spawns: here, or on the hub of another thread.
class second_hub {
public:
    explicit second_hub(bool wanted) {
        if (wanted) {
            promise<hub> made;
            future<hub> known = made.get_future();
            thread_ = std::thread([this, made = std::move(made)]() mutable {
                made.set_value(hub::current());
                stop_.wait();
            });
            hub_.emplace(known.get());
        }
    }
    ~second_hub() {
        if (thread_.joinable()) {
            stop_.set();
            thread_.join();
        }
    }
    second_hub(const second_hub&) = delete;
    second_hub& operator=(const second_hub&) = delete;

    template <typename Function>
    auto spawn(task_group& group, Function function) {
        return hub_ && turn_++ % 2 == 0 ? group.spawn(*hub_, {}, function) : group.spawn(function);
    }

private:
    event stop_;
    std::thread thread_;
    std::optional<hub> hub_;
    std::atomic<int> turn_{0};
};

TEST_P(Groups, WaitForAll) {
    in_each_world([](world& w) {
        second_hub other(!w.on_one_thread());
        std::atomic<int> done{0};
        const actor one = [&] {
            task_group group;
            for (int i = 0; i < 3; ++i) {
                other.spawn(group, [&] {
                    const visit v;
                    world::pause();
                    group.spawn([&] { // a sibling
                        world::pause();
                        ++done;
                    });
                    ++done;
                });
            }
            group.wait();
            EXPECT_EQ(group.size(), 0u);
        };
        w.run({one, one, one});
        EXPECT_EQ(done, 3 * 6);
        EXPECT_EQ(inside, 0);
    });
}

/// Someone fails while others wait for ever, and others do not yet run.
TEST_P(Groups, TheFirstErrorEndsTheOthers) {
    in_each_world([](world& w) {
        second_hub other(!w.on_one_thread());
        const actor one = [&] {
            int caught = 0;
            std::atomic<int> mine{0};
            try {
                task_group group;
                event never_set;
                const auto patient = [&] {
                    const visit v;
                    ++mine;
                    try {
                        never_set.wait();
                    } catch (...) {
                        const shield finish;
                        world::pause();
                        --mine;
                        throw;
                    }
                };
                other.spawn(group, patient);
                other.spawn(group, patient);
                other.spawn(group, [] {
                    const visit v;
                    world::pause();
                    throw std::out_of_range("far");
                });
                other.spawn(group, patient);
                group.wait();
            } catch (const std::out_of_range&) {
                ++caught;
            }
            EXPECT_EQ(caught, 1);
            EXPECT_EQ(mine, 0);
        };
        w.run({one, one, one});
        EXPECT_EQ(inside, 0);
    });
}

/// The owner's time is over at its first, second, third wait: its tasks have ended when it goes on.
TEST_P(Groups, GivenUpAnywhere) {
    in_each_world([](world& w) {
        second_hub other(!w.on_one_thread());
        const actor one = [&] {
            std::atomic<int> begun{0};
            std::atomic<int> ended{0};
            move_on_at(w.deadline(), [&] {
                channel<int> numbers;
                task_group group;
                const auto count = [&](std::atomic<int>& at_end) {
                    return [&] {
                        const visit v;
                        ++begun;
                        struct end {
                            std::atomic<int>& count;
                            ~end() { ++count; }
                        } const last{at_end};
                        for (int i = 0; i < 3; ++i) {
                            this_fiber::yield();
                            numbers.send(i);
                        }
                    };
                };
                other.spawn(group, count(ended));
                other.spawn(group, count(ended));
                for (int i = 0; i < 6; ++i) {
                    numbers.receive();
                }
                group.wait();
                EXPECT_EQ(ended, 2);
            });
            EXPECT_EQ(begun, ended);
        };
        w.run({one, one});
        EXPECT_EQ(inside, 0);
    });
}

/// The body hears of it too, in whatever it waits, on whichever hub the failure happens.
TEST_P(Groups, AFailureEndsTheBody) {
    in_each_world([](world& w) {
        second_hub other(!w.on_one_thread());
        const actor one = [&] {
            event never_set;
            bool unwound = false;
            EXPECT_THROW(with_task_group([&](task_group& group) {
                             const struct mark {
                                 bool& set;
                                 ~mark() { set = true; }
                             } at_end{unwound};
                             for (int i = 0; i < 2; ++i) {
                                 other.spawn(group, [] {
                                     world::pause();
                                     throw std::out_of_range("far");
                                 });
                             }
                             never_set.wait();
                         }),
                         std::exception); // of one task, or both
            EXPECT_TRUE(unwound);
            world::pause(); // nothing is left of the scope
        };
        w.run({one, one, one});
    });
}

TEST_P(Groups, StartHandsOverOrFails) {
    in_each_world([](world& w) {
        const actor one = [&] {
            std::atomic<bool> stopped{false};
            {
                event stop;
                task_group group;
                const int port = group.start<int>([&](const started<int>& ready) {
                    const visit v;
                    world::pause();
                    ready(80);
                    stop.wait();
                    stopped = true;
                });
                EXPECT_EQ(port, 80);
                EXPECT_THROW(
                    group.start([](const started<>&) { throw std::out_of_range("early"); }),
                    std::out_of_range);
                EXPECT_FALSE(group.cancelled());
                stop.set();
                group.wait();
            }
            EXPECT_TRUE(stopped);
        };
        w.run({one, one});
        EXPECT_EQ(inside, 0);
    });
}

// -------------------------------------------------------------------------------------- one by one

template <typename Function>
std::string said(Function function) {
    try {
        function();
    } catch (const task_errors& e) {
        return std::to_string(e.errors().size()) + " errors: " + e.what();
    } catch (const std::system_error& e) {
        return "errno " + std::to_string(e.code().value());
    } catch (const std::exception& e) {
        return e.what();
    } catch (const cancelled& c) {
        return "cancelled: " + c.reason();
    } catch (const timed_out&) {
        return "timed out";
    }
    return "nothing";
}

const std::string gone = "errno " + std::to_string(ECANCELED);

void sleep_till_cancelled(std::string& reason) {
    try {
        this_fiber::sleep_for(1h);
    } catch (const cancelled& c) {
        reason = c.reason();
        throw;
    }
}

TEST(TaskGroup, HandlesGiveValues) {
    fake_hub hub;
    task_group group;
    fiber<int> a = group.spawn([] { return 1; });
    fiber<int> b = group.spawn(
        {"b"}, [](int i) { return i; }, 2);
    EXPECT_EQ(group.size(), 2u);
    group.wait();
    EXPECT_TRUE(a.ready() && b.ready());
    EXPECT_EQ(a.get() + b.get(), 3);
    EXPECT_EQ(b.name(), "b");
    group.spawn([] {}); // again
    group.wait();
}

TEST(TaskGroup, KeepsAllErrors) {
    fake_hub hub;
    EXPECT_EQ(said([&] {
                  task_group group;
                  group.spawn([&] {
                      try {
                          hub.sleep(1h);
                          this_fiber::yield();
                      } catch (const cancelled& c) {
                          EXPECT_EQ(c.reason(), "a task of its group failed");
                          throw std::length_error("while it tidied up");
                      }
                  });
                  group.spawn([] { throw std::out_of_range("far"); });
                  group.spawn([] { FAIL() << "began after the failure"; });
                  group.wait();
              }),
              "2 errors: 2 tasks failed: std::out_of_range: far; std::length_error: while it "
              "tidied up");
}

TEST(TaskGroup, OneCancelledTaskIsNoError) {
    fake_hub hub;
    task_group group;
    bool ended = false;
    fiber<void> lazy = group.spawn([&] { this_fiber::sleep_for(1h); });
    group.spawn([&] {
        hub.sleep(1ms);
        ended = true;
    });
    hub->yield();
    lazy.cancel("not needed");
    group.wait();
    EXPECT_TRUE(ended);
    EXPECT_FALSE(group.cancelled());
    EXPECT_EQ(said([&] { lazy.get(); }), gone);
}

TEST(TaskGroup, CancelledItTakesNobodyIn) {
    fake_hub hub;
    task_group group;
    group.spawn([] { this_fiber::sleep_for(1h); });
    hub->yield();
    group.cancel("closing time");
    EXPECT_TRUE(group.cancelled());
    fiber<int> late = group.spawn([]() -> int {
        ADD_FAILURE() << "began";
        return 1;
    });
    group.wait();
    EXPECT_EQ(said([&] { late.get(); }), gone);
    EXPECT_EQ(said([&] { group.start([](const started<>& ready) { ready(); }); }), gone);
}

TEST(TaskGroup, EndsItsTasksWithItsScope) {
    fake_hub hub;
    std::string log;
    const auto body = [&] {
        task_group group;
        group.spawn([&] {
            try {
                this_fiber::sleep_for(1h);
            } catch (const cancelled& c) {
                const shield finish;
                hub.sleep(1ms);
                log += c.reason();
                throw;
            }
        });
        hub->yield();
        throw std::out_of_range("the body's");
    };
    EXPECT_EQ(said(body), "the body's");
    EXPECT_EQ(log, "its task group ended");
}

TEST(TaskGroup, ErrorsThatNobodyAskedForAreSaid) {
    fake_hub hub;
    testing::internal::CaptureStderr();
    {
        task_group group;
        group.spawn({"lost"}, [] { throw std::out_of_range("far"); });
        hub->yield();
    }
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("\"lost\" ended with an exception that nobody collected: "
                        "std::out_of_range: far"),
              std::string::npos)
        << text;
}

TEST(TaskGroup, WhoWaitsIsCancelledAndSoAreTheTasks) {
    fake_hub hub;
    std::string reason;
    fiber<void> owner = spawn([&] {
        task_group group;
        group.spawn([&] { sleep_till_cancelled(reason); });
        group.wait();
    });
    hub.sleep(1ms);
    owner.cancel("enough");
    EXPECT_EQ(said([&] { owner.get(); }), gone);
    EXPECT_EQ(reason, "who waited for its task group gave up");
}

TEST(TaskGroup, MisuseIsAnswered) {
    fake_hub hub;
    task_group group;
    group.spawn(
        [&] { EXPECT_EQ(said([&] { group.wait(); }), "errno " + std::to_string(EDEADLK)); });
    group.wait();
    EXPECT_EQ(said([&] { group.start([](const started<>&) {}); }),
              "task_group::start: the task ended without saying that it is ready");
    group.start([](const started<>& ready) {
        ready();
        EXPECT_THROW(ready(), std::future_error);
    });
    const spawn_options small{"small", 1};
    EXPECT_THROW(group.spawn(small, [] {}), std::invalid_argument);
    EXPECT_EQ(group.size(), 0u);
    std::optional<tendril::hub> ended;
    std::thread([&] { ended.emplace(tendril::hub::current()); }).join();
    EXPECT_EQ(said([&] { group.spawn(*ended, {}, [] {}); }), "errno " + std::to_string(ESRCH));
    EXPECT_EQ(group.size(), 0u);
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            auto g = std::make_unique<task_group>();
            g->spawn([&] { g.reset(); });
            g->wait();
        },
        "task group 0x[0-9a-f]+ is destroyed by one of its tasks");
}

TEST(TaskGroup, AStartThatIsGivenUpEndsTheTask) {
    fake_hub hub;
    task_group group;
    std::string reason;
    EXPECT_FALSE(move_on_at(hub->now() + 1ms, [&] {
        group.start([&](const started<>& ready) {
            sleep_till_cancelled(reason);
            ready();
        });
    }));
    group.wait();
    EXPECT_EQ(reason, "nobody waits for its start any more");
}

TEST(WithTaskGroup, ReturnsWhatTheBodyReturns) {
    fake_hub hub;
    bool ended = false;
    EXPECT_EQ(*with_task_group([&](task_group& group) {
        group.spawn([&] {
            hub.sleep(1ms);
            ended = true;
        });
        return std::make_unique<int>(7);
    }),
              7);
    EXPECT_TRUE(ended) << "the end of the body is the end of no task";
}

TEST(WithTaskGroup, TheBodysErrorComesFirst) {
    fake_hub hub;
    EXPECT_EQ(said([&] {
                  with_task_group([&](task_group& group) {
                      group.spawn([&] {
                          try {
                              this_fiber::sleep_for(1h);
                          } catch (const cancelled&) {
                              throw std::length_error("second");
                          }
                      });
                      hub->yield();
                      throw std::out_of_range("first");
                  });
              }),
              "2 errors: 2 tasks failed: std::out_of_range: first; std::length_error: second");
}

TEST(WithTaskGroup, CancelledItEndsQuietly) {
    fake_hub hub;
    with_task_group([&](task_group& group) {
        group.spawn([&] {
            hub.sleep(1ms);
            group.cancel("that will do");
        });
        EXPECT_EQ(said([] { this_fiber::sleep_for(1h); }), "cancelled: that will do");
        this_fiber::sleep_for(1h);
    });
    EXPECT_EQ(said([&] {
                  with_task_group([&](task_group& group) {
                      group.cancel();
                      this_fiber::yield();
                      return 1;
                  });
              }),
              gone);
    this_fiber::yield(); // it is over
}

/// They nest, and what ends an outer one gets through to its owner alone.
TEST(WithTaskGroup, TheOuterOneWins) {
    fake_hub hub;
    std::string log;
    EXPECT_EQ(said([&] {
                  with_task_group([&](task_group& outer) {
                      outer.spawn([&] {
                          hub.sleep(1ms);
                          throw std::out_of_range("outer");
                      });
                      with_task_group([&](task_group& inner) {
                          inner.spawn([&] { this_fiber::sleep_for(1h); });
                          this_fiber::sleep_for(1h);
                      });
                      log += "not here";
                  });
              }),
              "outer");
    EXPECT_EQ(log, "");
    EXPECT_FALSE(move_on_at(hub->now() + 1ms, [] {
        with_task_group([](task_group& group) {
            group.spawn([] { this_fiber::sleep_for(1h); });
            this_fiber::sleep_for(1h);
        });
    }));
}

/// Who waits in the group learns of it, and the tasks unwind first.
TEST(TaskGroup, OfADeadlockItIsTheEnd) {
    fake_hub hub;
    hub->look_for_deadlocks([]() noexcept { return true; });
    event never_set;
    int unwound = 0;
    task_group group;
    for (int i = 0; i < 2; ++i) {
        group.spawn([&] {
            const struct count {
                int& of;
                ~count() { ++of; }
            } last{unwound};
            never_set.wait();
        });
    }
    EXPECT_EQ(said([&] { group.wait(); }), "errno " + std::to_string(EDEADLK));
    EXPECT_EQ(unwound, 2);
}

TEST(TaskGroup, TenThousandTasks) {
    fake_hub hub;
    constexpr int many = sanitized ? 1'000 : 10'000;
    int ended = 0;
    task_group group;
    for (int i = 0; i < many; ++i) {
        group.spawn([&] {
            try {
                this_fiber::sleep_for(1h);
            } catch (const cancelled&) {
                ++ended;
                throw;
            }
        });
    }
    hub.sleep(1ms);
    group.cancel();
    group.wait();
    EXPECT_EQ(ended, many);
}

} // namespace
} // namespace tendril::detail
