// SPDX-License-Identifier: BSL-1.0
// fork(2): as with threads, only the fiber that forks goes on in the child. Not for
// ThreadSanitizer: to it fibers are threads, and after a fork it stops looking at the one that
// forked but not at others.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "hub/hub_core.hpp"
#include "support/leaks.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::fiber;
using tendril::spawn;
using tendril::detail::lost_on_purpose;

/// Counters that parent and child share.
struct shared_memory {
    std::atomic<int> others_ran{0};
    std::atomic<int> child_ran{0};
};

class Fork : public testing::Test {
protected:
    Fork()
        : shared(*new (::mmap(nullptr, sizeof(shared_memory), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0)) shared_memory) {}
    ~Fork() override { ::munmap(&shared, sizeof shared); }

    /// A fiber that counts its turns in a child; none may ever come.
    fiber<void> watch() {
        return spawn([this, parent = ::getpid()] {
            while (!stop) {
                shared.others_ran += ::getpid() != parent ? 1 : 0;
                tendril::this_fiber::sleep_for(100us);
            }
        });
    }

    shared_memory& shared;
    bool stop = false;
};

/// The exit code, or -signal. Fibers run while it waits.
int wait_for(pid_t child) {
    int status = 0;
    pid_t done = 0;
    while ((done = ::waitpid(child, &status, WNOHANG)) == 0) {
        tendril::this_fiber::sleep_for(200us);
    }
    EXPECT_EQ(done, child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// First thing in a child.
void begin_child() {
    ::alarm(20); // one that hangs fails
    tendril::detail::leave_leaks_unchecked();
}

TEST_F(Fork, InTheMainFiberTheChildHasNoOtherFibers) {
    auto other = watch();
    tendril::this_fiber::yield();
    const pid_t child = ::fork();
    if (child == 0) {
        begin_child();
        tendril::this_fiber::sleep_for(2ms);
        tendril::hub::current().drain(); // nobody there
        const bool works = spawn([] {
                               tendril::this_fiber::sleep_for(100us);
                               return 4;
                           }).get() == 4;
        const bool alone = tendril::hub::current().statistics().live == 0;
        std::_Exit(works && alone ? 21 : 1);
    }
    EXPECT_EQ(wait_for(child), 21);
    stop = true;
    other.join();
    EXPECT_EQ(shared.others_ran, 0);
}

TEST_F(Fork, InAFiberOnlyThatFiberGoesOnAndItsReturnEndsTheChild) {
    const pid_t parent = ::getpid();
    auto other = watch();
    pid_t child = -1;
    auto forker = spawn([&] {
        const lost_on_purpose lost; // what the dead fibers own, and this one when the child exits
        const pid_t pid = ::fork();
        if (pid == 0) {
            begin_child();
            tendril::this_fiber::sleep_for(2ms);
            spawn([this] { ++shared.child_ran; }).join();
            ++shared.child_ran;
            return; // the main fiber must not see this
        }
        child = pid;
    });
    forker.join();
    if (::getpid() != parent) {
        shared.others_ran += 100;
        std::_Exit(2);
    }
    EXPECT_EQ(wait_for(child), 0);
    stop = true;
    other.join();
    EXPECT_EQ(shared.child_ran, 2);
    EXPECT_EQ(shared.others_ran, 0);
}

/// The main fiber waits for something that the forking fiber can reach; in the child it stays dead.
TEST_F(Fork, TheSurvivorCannotWakeTheMainFiber) {
    namespace detail = tendril::detail;
    detail::hub_core& hub = detail::hub_core::current();
    const pid_t parent = ::getpid();
    pid_t child = -1;
    const detail::ticket main = hub.prepare();
    auto forker = spawn([&] {
        const lost_on_purpose lost;
        const pid_t pid = ::fork();
        const bool woken = detail::hub_core::wake_up(main, detail::wake::ready);
        if (pid == 0) {
            begin_child();
            shared.child_ran += woken ? 100 : 1;
            tendril::this_fiber::sleep_for(1ms);
            return;
        }
        child = pid;
    });
    hub.park(main, {detail::wait_kind::other, "the test"});
    if (::getpid() != parent) {
        shared.others_ran += 100;
        std::_Exit(2);
    }
    forker.join();
    EXPECT_EQ(wait_for(child), 0);
    EXPECT_EQ(shared.child_ran, 1);
    EXPECT_EQ(shared.others_ran, 0);
}

TEST_F(Fork, InTheForkedFiberExitCodesAndExceptionsWork) {
    std::vector<fiber<pid_t>> forkers;
    for (int code = 30; code < 34; ++code) {
        forkers.push_back(spawn([code] {
            const lost_on_purpose lost;
            const pid_t pid = ::fork();
            if (pid == 0) {
                begin_child();
                try {
                    tendril::this_fiber::yield();
                    throw code;
                } catch (int caught) {
                    tendril::this_fiber::sleep_for(100us);
                    std::_Exit(caught);
                }
            }
            return pid;
        }));
    }
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(wait_for(forkers[static_cast<std::size_t>(i)].get()), 30 + i);
    }
}

TEST_F(Fork, AnExceptionOutOfTheForkedFiberIsPrintedAndEndsTheChild) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    auto forker = spawn({"forker"}, [&] {
        const lost_on_purpose lost;
        const pid_t pid = ::fork();
        if (pid == 0) {
            begin_child();
            ::dup2(ends[1], STDERR_FILENO);
            throw std::runtime_error("in the child");
        }
        return pid;
    });
    const pid_t child = forker.get();
    ::close(ends[1]);
    EXPECT_EQ(wait_for(child), 1);
    char text[500] = "";
    ASSERT_GT(::read(ends[0], text, sizeof text - 1), 0);
    EXPECT_NE(std::string(text).find("\"forker\""), std::string::npos) << text;
    EXPECT_NE(std::string(text).find("in the child"), std::string::npos) << text;
    ::close(ends[0]);
}

TEST_F(Fork, AChildMayForkAgain) {
    auto forker = spawn([] {
        const lost_on_purpose lost;
        const pid_t child = ::fork();
        if (child == 0) {
            begin_child();
            pid_t grandchild = -1;
            spawn([&] {
                grandchild = ::fork();
                if (grandchild == 0) {
                    tendril::this_fiber::sleep_for(100us);
                    std::_Exit(40);
                }
            }).join();
            std::_Exit(wait_for(grandchild) == 40 ? 41 : 1);
        }
        return child;
    });
    EXPECT_EQ(wait_for(forker.get()), 41);
}

TEST_F(Fork, HubsOfOtherThreadsHaveEndedInTheChild) {
    std::atomic<bool> ready{false};
    std::atomic<bool> done{false};
    std::optional<tendril::hub> theirs;
    std::thread other([&] {
        theirs = tendril::hub::current();
        auto busy = spawn([&] {
            while (!done) {
                tendril::this_fiber::sleep_for(50us);
            }
        });
        ready = true;
        busy.join();
    });
    while (!ready) {
        tendril::this_fiber::sleep_for(100us);
    }
    for (int i = 0; i < 5; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            begin_child();
            bool refused = false;
            try {
                spawn(*theirs, {}, [] {});
            } catch (const std::system_error& e) {
                refused = e.code().value() == ESRCH;
            }
            const bool works = spawn([] { return 3; }).get() == 3;
            std::_Exit(refused && works && theirs->ended() ? 50 : 1);
        }
        EXPECT_EQ(wait_for(child), 50);
    }
    EXPECT_EQ(spawn(*theirs, {}, [] { return 1; }).get(), 1) << "the parent's goes on";
    done = true;
    other.join();
}

TEST_F(Fork, OnAThreadThatIsNotTheMainOne) {
    std::thread([] {
        pid_t child = -1;
        spawn([&] {
            const lost_on_purpose lost;
            child = ::fork();
            if (child == 0) {
                begin_child();
                tendril::this_fiber::sleep_for(1ms);
            }
        }).join();
        EXPECT_EQ(wait_for(child), 0);
    }).join();
}

/// The list of all hubs is in use by others at the moment of the fork.
TEST_F(Fork, WhileOtherThreadsMakeAndEndHubs) {
    if (sizeof TENDRIL_TEST_SANITIZE > 1) {
        GTEST_SKIP() << "a sanitizer's allocator may be locked by a thread that the child lacks";
    }
    std::atomic<bool> done{false};
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i) {
        others.emplace_back([&] {
            while (!done) {
                std::thread([] { spawn([] {}).join(); }).join();
            }
        });
    }
    // This one has no hub, so each child makes one.
    std::thread([] {
        for (int i = 0; i < 30; ++i) {
            const pid_t child = ::fork();
            if (child == 0) {
                begin_child();
                std::_Exit(spawn([] { return 70; }).get());
            }
            int status = 0;
            ::waitpid(child, &status, 0);
            EXPECT_EQ(WEXITSTATUS(status), 70) << status;
        }
    }).join();
    done = true;
    for (std::thread& t : others) {
        t.join();
    }
}

TEST_F(Fork, WithoutAHubTheChildMayMakeOne) {
    std::thread([] {
        const pid_t child = ::fork();
        if (child == 0) {
            begin_child();
            std::_Exit(spawn([] { return 60; }).get());
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(WEXITSTATUS(status), 60);
    }).join();
}

} // namespace
