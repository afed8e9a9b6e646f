// SPDX-License-Identifier: BSL-1.0
// Signal handlers and the fibers that wait meanwhile, with the shim preloaded.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>
#include <tendril/io.hpp>

#include "shims/programs/asleep.h"
#include "support/parked.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <alloca.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using tendril::spawn;
namespace this_fiber = tendril::this_fiber;

volatile sig_atomic_t runs = 0;

void handler(int) {
    runs = runs + 1;
}

class interruption : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
        runs = 0;
    }
    void TearDown() override {
        signal(SIGUSR1, SIG_DFL);
        close(ends_[0]);
        close(ends_[1]);
    }

    static void handle(int flags) {
        struct sigaction action = {};
        action.sa_handler = handler;
        action.sa_flags = flags;
        ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    }

    template <typename Function>
    static tendril::fiber<int> parked(Function function) {
        return tendril_test::parked([function]() -> int { return function() < 0 ? errno : 0; });
    }

    auto reads() {
        return [this] {
            char c;
            return read(ends_[0], &c, 1);
        };
    }
    auto polls() {
        return [this] {
            pollfd p = {ends_[0], POLLIN, 0};
            return poll(&p, 1, -1);
        };
    }

    /// As the hub does when nothing can run.
    static void wait_for_signals() { usleep(1); }

    void let_go() { ASSERT_EQ(write(ends_[1], "xxxx", 4), 4); }

    int ends_[2];
};

TEST_F(interruption, does_not_end_waits_of_a_later_thread) {
    handle(0);
    const auto sleeps = [](bool signalled) {
        spawn([] {}).join();
        for (int i = 0; i < 100; ++i) {
            EXPECT_EQ(usleep(1), 0) << i;
        }
        if (signalled) {
            raise(SIGUSR1);
        }
    };
    std::thread(sleeps, true).join();
    EXPECT_EQ(runs, 1);
    std::thread(sleeps, false).join(); // with the same hub
}

TEST_F(interruption, ends_the_waits_of_all_fibers) {
    handle(0);
    auto reader = parked(reads());
    auto poller = parked(polls());
    auto sleeper = parked([] { return usleep(900'000); });
    raise(SIGUSR1);
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(reader.get(), EINTR);
    EXPECT_EQ(poller.get(), EINTR);
    EXPECT_EQ(sleeper.get(), EINTR);
}

TEST_F(interruption, restarts_what_can_be_restarted) {
    handle(SA_RESTART);
    auto reader = parked(reads());
    auto poller = parked(polls());
    raise(SIGUSR1);
    EXPECT_EQ(poller.get(), EINTR);
    EXPECT_FALSE(reader.ready());
    let_go();
    EXPECT_EQ(reader.get(), 0);
}

TEST_F(interruption, is_of_no_concern_to_what_begins_later) {
    handle(0);
    this_fiber::yield();
    raise(SIGUSR1);
    auto reader = parked(reads());
    auto poller = parked(polls());
    wait_for_signals();
    EXPECT_FALSE(reader.ready());
    EXPECT_FALSE(poller.ready());
    let_go();
    EXPECT_EQ(reader.get(), 0);
    EXPECT_EQ(poller.get(), 0);
}

TEST_F(interruption, reaches_a_hub_that_sleeps) {
    handle(0);
    const pid_t child = fork();
    if (child == 0) {
        until_parent_asleep();
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    char c;
    EXPECT_EQ(read(ends_[0], &c, 1), -1);
    EXPECT_EQ(errno, EINTR);
    EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST_F(interruption, does_not_end_what_is_not_a_libc_call) {
    handle(0);
    auto native = spawn([this] {
        char c;
        return tendril::io::read(ends_[0], &c, 1);
    });
    auto sleeper = spawn([] { this_fiber::sleep_for(std::chrono::milliseconds(5)); });
    this_fiber::yield();
    raise(SIGUSR1);
    sleeper.join();
    EXPECT_FALSE(native.ready());
    let_go();
    EXPECT_EQ(native.get(), 1);
}

TEST_F(interruption, does_not_lose_what_came_before) {
    handle(0);
    auto reader = parked(reads());
    raise(SIGUSR1);
    let_go(); // both are there when it goes on
    const int end = reader.get();
    EXPECT_TRUE(end == 0 || end == EINTR);
    char c[4];
    EXPECT_EQ(recv(ends_[0], c, 4, MSG_DONTWAIT), end == 0 ? 3 : 4);
}

TEST_F(interruption, of_a_vfork_child_is_of_no_concern) {
    handle(0);
    auto reader = parked(reads());
    const pid_t child = vfork();
    if (child == 0) {
        raise(SIGUSR1);
        _exit(0);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_EQ(runs, 1);
    wait_for_signals();
    EXPECT_FALSE(reader.ready());
    let_go();
    EXPECT_EQ(reader.get(), 0);
}

TEST_F(interruption, of_another_thread_is_of_no_concern) {
    handle(0);
    auto reader = parked(reads());
    std::thread([] { raise(SIGUSR1); }).join();
    EXPECT_EQ(runs, 1);
    wait_for_signals();
    EXPECT_FALSE(reader.ready());
    let_go();
    EXPECT_EQ(reader.get(), 0);
}

TEST_F(interruption, comes_in_storms) {
    handle(0);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    const pthread_t here = pthread_self();
    std::atomic<bool> stop{false};
    std::thread storm([&] {
        while (!stop) {
            pthread_kill(here, SIGUSR1);
        }
    });
    // Bytes go through whatever happens, in order.
    constexpr int total = 2000;
    int sent = 0, received = 0, interrupted = 0;
    auto writer = spawn([&] {
        while (sent < total) {
            const char c = static_cast<char>(sent);
            sent += write(ends_[1], &c, 1) == 1 ? 1 : 0;
            this_fiber::yield();
        }
    });
    auto reader = spawn([&] {
        while (received < total) {
            char c;
            const ssize_t n = read(ends_[0], &c, 1);
            if (n == 1) {
                ASSERT_EQ(c, static_cast<char>(received));
                ++received;
            } else {
                ASSERT_EQ(errno, EINTR);
                ++interrupted;
            }
        }
    });
    writer.join();
    reader.join();
    stop = true;
    storm.join();
    EXPECT_EQ(received, total);
}

TEST_F(interruption, of_sigwait_is_what_it_waits_for) {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
    int number = 0;
    auto waits = parked([&] { return sigwait(&usr1, &number); });
    auto other = parked(reads());
    EXPECT_FALSE(waits.ready());
    kill(getpid(), SIGUSR1);
    waits.join();
    EXPECT_EQ(number, SIGUSR1);
    EXPECT_FALSE(other.ready());
    let_go();
    EXPECT_EQ(other.get(), 0);
    pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
}

struct sigaction present_of(int number) {
    struct sigaction present = {};
    EXPECT_EQ(sigaction(number, nullptr, &present), 0);
    return present;
}

void overflow() {
    spawn([] {
        volatile char* const frame = static_cast<char*>(alloca(std::size_t{1} << 20));
        for (std::size_t i = std::size_t{1} << 20; i-- > 0;) {
            frame[i] = 0;
        }
    }).join();
}

// The hub has handlers of its own for these, which it installs with the first fiber.
class faults : public testing::TestWithParam<int> {
protected:
    void SetUp() override {
        runs = 0;
        spawn([] {}).join();
    }
    void TearDown() override { signal(GetParam(), SIG_DFL); }
};

TEST_P(faults, show_the_default_action) {
    const struct sigaction present = present_of(GetParam());
    EXPECT_EQ(present.sa_handler, SIG_DFL);
    EXPECT_EQ(present.sa_flags & (SA_SIGINFO | SA_ONSTACK), 0);
    EXPECT_EQ(signal(GetParam(), SIG_DFL), SIG_DFL);
    EXPECT_EQ(signal(GetParam(), handler), SIG_DFL);
    EXPECT_EQ(raise(GetParam()), 0);
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(signal(GetParam(), SIG_IGN), handler);
    EXPECT_EQ(raise(GetParam()), 0);
    EXPECT_EQ(signal(GetParam(), SIG_DFL), SIG_IGN);
    EXPECT_EQ(signal(GetParam(), SIG_DFL), SIG_DFL);
}

TEST_P(faults, show_a_vfork_child_the_default_action) {
    const pid_t child = vfork(); // inherits
    if (child == 0) {
        _exit(present_of(GetParam()).sa_handler == SIG_DFL ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_P(faults, end_the_process_by_default) {
    EXPECT_EXIT(raise(GetParam()), testing::KilledBySignal(GetParam()), "^$");
    EXPECT_EXIT(
        {
            signal(GetParam(), handler);
            signal(GetParam(), SIG_DFL);
            raise(GetParam());
        },
        testing::KilledBySignal(GetParam()), "^$");
}

INSTANTIATE_TEST_SUITE_P(both, faults, testing::Values(SIGSEGV, SIGBUS),
                         [](const auto& which) { return which.param == SIGSEGV ? "segv" : "bus"; });

TEST(overflows, are_told_of_when_the_program_gave_the_signal_back) {
    EXPECT_EXIT(
        {
            spawn([] {}).join();
            const auto before = signal(SIGSEGV, handler);
            signal(SIGSEGV, before);
            overflow();
        },
        testing::KilledBySignal(SIGSEGV), "overflowed its");
}

TEST(overflows, go_to_a_handler_of_the_program) {
    EXPECT_EXIT(
        {
            spawn([] {}).join();
            struct sigaction action = {};
            action.sa_handler = [](int) { _exit(7); };
            action.sa_flags = SA_ONSTACK;
            sigaction(SIGSEGV, &action, nullptr);
            overflow();
        },
        testing::ExitedWithCode(7), "^$");
}

// As the first fiber is spawned in a process that has one: it stays in force, and what is asked is
// about it.
TEST(overflows, keep_an_earlier_handler) {
    EXPECT_EXIT(
        {
            struct sigaction action = {};
            action.sa_handler = handler;
            action.sa_flags = static_cast<int>(SA_RESETHAND | SA_ONSTACK);
            runs = 0;
            sigaction(SIGSEGV, &action, nullptr);
            spawn([] {}).join();
            const struct sigaction present = present_of(SIGSEGV);
            if (present.sa_handler != action.sa_handler ||
                (present.sa_flags & action.sa_flags) != action.sa_flags ||
                (present.sa_flags & SA_SIGINFO) != 0) {
                _exit(9);
            }
            raise(SIGSEGV);
            _exit(runs == 1 && present_of(SIGSEGV).sa_handler == SIG_DFL ? 8 : 10);
        },
        testing::ExitedWithCode(8), "^$");
}

} // namespace
