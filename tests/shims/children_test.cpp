// SPDX-License-Identifier: BSL-1.0
// Fibers that wait for children, with the shim preloaded: each parks alone.
#include <tendril/cancel.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "support/open_fds.hpp"
#include "support/parked.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <string>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using tendril::spawn;
using tendril_test::open_fds;
using tendril_test::parked;
namespace this_fiber = tendril::this_fiber;

/// A child that ends with `status` when its parent says so.
class child {
public:
    explicit child(
        int status, std::function<void()> first = [] {}) {
        EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
        pid_ = fork();
        if (pid_ == 0) {
            first();
            close(ends_[1]);
            char c;
            while (read(ends_[0], &c, 1) < 0) {
            }
            _exit(status);
        }
        close(ends_[0]);
        fcntl(ends_[1], F_SETFD, FD_CLOEXEC);
    }
    ~child() { end(); }
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    pid_t pid() const { return pid_; }
    void end() {
        if (ends_[1] >= 0) {
            // Later children have this end too.
            kill(pid_, SIGKILL);
            close(ends_[1]);
            ends_[1] = -1;
        }
    }

private:
    int ends_[2];
    pid_t pid_;
};

pid_t wait_for(pid_t pid, int flags = 0) {
    int status = -1;
    return waitpid(pid, &status, flags);
}

TEST(children, are_waited_for_one_by_one) {
    std::vector<std::unique_ptr<child>> children;
    std::vector<tendril::fiber<pid_t>> fibers;
    for (int i = 0; i < 20; ++i) {
        children.push_back(std::make_unique<child>(i));
        const pid_t pid = children.back()->pid();
        fibers.push_back(parked([pid] { return wait_for(pid); }));
    }
    // In another order than they were waited for.
    for (std::size_t i = children.size(); i-- > 0;) {
        children[i]->end();
        EXPECT_EQ(fibers[i].get(), children[i]->pid());
        for (std::size_t j = 0; j < i; ++j) {
            EXPECT_FALSE(fibers[j].ready());
        }
    }
}

TEST(children, are_shared_out_among_those_who_wait_for_any) {
    std::vector<std::unique_ptr<child>> children;
    for (int i = 0; i < 5; ++i) {
        children.push_back(std::make_unique<child>(0));
    }
    std::vector<tendril::fiber<pid_t>> fibers;
    std::vector<pid_t> pids, found;
    for (const auto& c : children) {
        pids.push_back(c->pid());
        fibers.push_back(parked([] { return wait_for(-1); }));
    }
    for (const auto& c : children) {
        c->end();
    }
    for (auto& f : fibers) {
        found.push_back(f.get());
    }
    EXPECT_THAT(found, testing::UnorderedElementsAreArray(pids));
    EXPECT_EQ(wait_for(-1), -1);
    EXPECT_EQ(errno, ECHILD);
}

TEST(children, of_one_fiber_keep_no_other_from_running) {
    child c(0);
    auto any = parked([] { return wait_for(-1, WUNTRACED); });
    auto one = parked([&] { return wait_for(c.pid()); });
    for (int i = 0; i < 100; ++i) {
        this_fiber::yield();
    }
    EXPECT_FALSE(any.ready() || one.ready());
    kill(c.pid(), SIGSTOP);
    EXPECT_EQ(any.get(), c.pid());
    EXPECT_FALSE(one.ready());
    c.end();
    EXPECT_EQ(one.get(), c.pid());
}

TEST(children, that_another_fiber_took_are_gone) {
    child c(0);
    const auto wait_here = [&] {
        const pid_t found = wait_for(c.pid());
        return found < 0 ? -errno : found;
    };
    auto first = parked(wait_here);
    auto second = parked(wait_here);
    c.end();
    EXPECT_THAT((std::vector{first.get(), second.get()}),
                testing::UnorderedElementsAre(c.pid(), -ECHILD));
}

TEST(children, are_left_alone_when_the_wait_is_cancelled) {
    child c(0);
    const auto wait_here = [&](pid_t pid) {
        return [&, pid] {
            errno = 0;
            const pid_t found = wait_for(pid);
            return found < 0 ? -errno : found;
        };
    };
    auto one = parked(wait_here(c.pid()));
    auto any = parked(wait_here(-1));
    one.cancel();
    any.cancel();
    one.join();
    any.join();
    EXPECT_EQ(wait_for(c.pid(), WNOHANG), 0);
    auto again = parked(wait_here(-1)); // finds the worker that is still asking
    c.end();
    EXPECT_EQ(again.get(), c.pid());
}

TEST(children, of_a_fork_inherit_no_fd_of_a_wait) {
    {
        child first(0); // what a hub makes for itself is there after it
        auto waiting = parked([&] { return wait_for(first.pid()); });
        first.end();
        EXPECT_EQ(waiting.get(), first.pid());
    }
    child c(0);
    const int before = open_fds();
    auto one = parked([&] { return wait_for(c.pid()); });
    EXPECT_GT(open_fds(), before);
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(open_fds() <= before ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    c.end();
    EXPECT_EQ(one.get(), c.pid());
    EXPECT_EQ(open_fds(), before - 1);
}

TEST(children, are_waited_for_without_an_fd_too) {
    tendril::hub::current();
    child c(0);
    rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    auto one = parked([&] { return wait_for(c.pid()); });
    setrlimit(RLIMIT_NOFILE, &before);
    c.end();
    EXPECT_EQ(one.get(), c.pid());
}

TEST(children, stop_for_their_debugger_while_another_fiber_waits) {
    const pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGUSR1);
        _exit(5);
    }
    child other(0);
    auto elsewhere = parked([&] { return wait_for(other.pid()); });
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1) << status;
    ptrace(PTRACE_CONT, pid, nullptr, nullptr);
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 5) << status;
    other.end();
    EXPECT_EQ(elsewhere.get(), other.pid());
}

/// Commands that all wait for one event: the end of the last one's input.
TEST(commands, run_at_once) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const int to = dup(ends[1]);
    fcntl(to, F_SETFD, FD_CLOEXEC);
    close(ends[1]);
    const std::string command = "read x <&" + std::to_string(ends[0]) + "; exit 3";
    std::vector<tendril::fiber<int>> fibers;
    for (int i = 0; i < 10; ++i) {
        fibers.push_back(parked([&] { return system(command.c_str()); }));
    }
    struct sigaction now;
    sigaction(SIGINT, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_IGN);
    // A shell reads byte by byte.
    ASSERT_EQ(write(to, "\n\n\n\n\n\n\n\n\n\n", 10), 10);
    for (auto& f : fibers) {
        EXPECT_EQ(f.get(), 3 << 8);
    }
    sigaction(SIGINT, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_DFL);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    EXPECT_FALSE(sigismember(&mask, SIGCHLD));
    close(ends[0]);
    close(to);
}

TEST(commands, die_when_their_fiber_is_cancelled) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    int error = 0;
    // Its input ends when it does, for it alone has the other end.
    auto f = parked([&] {
        const std::string command = "exec sleep 1000 >&" + std::to_string(ends[1]);
        fcntl(ends[1], F_SETFD, 0);
        const int result = system(command.c_str());
        error = errno;
        return result;
    });
    close(ends[1]);
    f.cancel();
    f.join();
    char c;
    EXPECT_EQ(read(ends[0], &c, 1), 0);
    EXPECT_EQ(error, ECANCELED);
    EXPECT_EQ(wait_for(-1), -1);
    EXPECT_EQ(errno, ECHILD);
    close(ends[0]);
}

TEST(commands, behind_pipes_end_while_others_go_on) {
    child c(0); // before the pipes, of which it would keep copies
    FILE* const first = popen("cat >/dev/null; exit 1", "w");
    FILE* const second = popen("cat >/dev/null; exit 2", "w");
    auto elsewhere = parked([&] { return wait_for(c.pid()); });
    EXPECT_EQ(pclose(second), 2 << 8);
    EXPECT_EQ(pclose(first), 1 << 8);
    EXPECT_FALSE(elsewhere.ready());
    c.end();
    EXPECT_EQ(elsewhere.get(), c.pid());
}

TEST(commands, behind_pipes_may_be_closed_by_another_thread) {
    FILE* const stream = popen("cat >/dev/null; exit 3", "w");
    int status = 0;
    std::thread([&] { status = pclose(stream); }).join();
    EXPECT_EQ(status, 3 << 8);
}

TEST(streams, that_are_closed_wake_who_waits_for_their_fd) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    FILE* const stream = fdopen(ends[0], "r");
    auto reader = parked([&] {
        char c;
        return read(ends[0], &c, 1) < 0 ? errno : 0;
    });
    EXPECT_EQ(fclose(stream), 0);
    EXPECT_EQ(reader.get(), EBADF);
    close(ends[1]);
}

} // namespace
