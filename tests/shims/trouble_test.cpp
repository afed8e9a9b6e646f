// SPDX-License-Identifier: BSL-1.0
// Code that closes or replaces every fd, in each of the ways that libraries and daemons know, while
// fibers wait, with the shim preloaded: their waits end, and the hub, whose own fds are among them,
// goes on.
#include "support/asleep.hpp"

#include <tendril/event.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include "support/parked.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using tendril::spawn;
using tendril_test::parked;
namespace this_fiber = tendril::this_fiber;

constexpr int first = 3;
constexpr int limit = 1024; // of the loops; above the hub's fds

void by_close_range() {
    EXPECT_EQ(close_range(first, ~0U, 0), 0);
}
void by_closefrom() {
    closefrom(first);
}
void one_by_one() {
    for (int fd = first; fd < limit; ++fd) {
        close(fd);
    }
}
std::vector<int> listed() {
    DIR* const folder = opendir("/proc/self/fd");
    EXPECT_NE(folder, nullptr);
    std::vector<int> found;
    while (const dirent* each = readdir(folder)) {
        found.push_back(std::atoi(each->d_name));
    }
    closedir(folder);
    return found;
}
void those_that_are_listed() {
    for (const int fd : listed()) {
        if (fd >= first) {
            close(fd);
        }
    }
}
// Where no shim can see it.
void by_system_call() {
    EXPECT_EQ(syscall(SYS_close_range, first, ~0U, 0), 0);
}
void one_by_one_by_system_call() {
    for (int fd = first; fd < limit; ++fd) {
        syscall(SYS_close, fd);
    }
}
void with_something_else_by_system_call() {
    const int null = open("/dev/null", O_RDWR);
    for (int fd = first; fd < limit; ++fd) {
        if (fd != null && fcntl(fd, F_GETFD) >= 0) {
            EXPECT_EQ(syscall(SYS_dup3, null, fd, 0), fd);
        }
    }
    EXPECT_EQ(syscall(SYS_close_range, first, ~0U, 0), 0);
}
void with_something_else() {
    const int null = open("/dev/null", O_RDWR);
    for (int fd = first; fd < limit; ++fd) {
        const int got = fd % 2 == 0 ? dup2(null, fd) : dup3(null, fd, O_CLOEXEC);
        EXPECT_TRUE(fd == null || got == fd || (got == -1 && errno == EBUSY)) << fd;
    }
    EXPECT_EQ(close_range(first, ~0U, 0), 0);
}

struct sweep {
    const char* name;
    void (*close_all)();
};

int error_of(ssize_t result) {
    return result < 0 ? errno : 0;
}

int read_byte(int fd) {
    char c;
    return error_of(read(fd, &c, 1));
}

/// Fibers still talk, sleep, wait for children and are woken by other threads.
void all_goes_on() {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_LT(ends[1], limit / 2) << "the numbers that any program gets";
    auto reader = parked([&] { return read_byte(ends[0]); });
    auto sleeper = parked([] { return usleep(1000); });
    EXPECT_EQ(sleeper.get(), 0);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(reader.get(), 0);

    auto from_outside = parked([&] { return read_byte(ends[0]); });
    const tendril::hub here = tendril::hub::current();
    std::thread other(
        [&] { tendril::spawn(here, {}, [&] { EXPECT_EQ(write(ends[1], "x", 1), 1); }).detach(); });
    EXPECT_EQ(from_outside.get(), 0);
    other.join();

    const pid_t child = fork();
    if (child == 0) {
        _exit(read_byte(ends[0]));
    }
    auto waiting = parked([&] {
        int status = -1;
        return waitpid(child, &status, 0) == child ? status : -1;
    });
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(waiting.get(), 0);
    EXPECT_EQ(close(ends[0]), 0);
    EXPECT_EQ(close(ends[1]), 0);
}

class sweeping : public testing::TestWithParam<sweep> {};

TEST_P(sweeping, ends_waits_and_nothing_else) {
    int pair[2], ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ASSERT_EQ(pipe(ends), 0);
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(listen(listener, 5), 0);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        close(pair[1]);
        // Until its parent closes.
        _exit(read_byte(ends[0]) == 0 ? 5 : 1);
    }
    const int kept = fcntl(pair[1], F_DUPFD, 500);
    std::vector<tendril::fiber<int>> waits;
    waits.push_back(parked([&] { return read_byte(pair[0]); }));
    waits.push_back(parked([&] { return read_byte(kept); }));
    waits.push_back(parked([&] { return read_byte(ends[0]); }));
    waits.push_back(parked([&] { return error_of(accept(listener, nullptr, nullptr)); }));
    auto looks = parked([&] {
        pollfd p = {pair[0], POLLIN, 0};
        return poll(&p, 1, -1) == 1 ? p.revents : -1;
    });
    auto sleeper = parked([] { return usleep(50'000); });
    auto waiting = parked([&] {
        int status = -1;
        return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    });

    GetParam().close_all();
    EXPECT_EQ(sleeper.get(), 0);
    for (auto& each : waits) {
        EXPECT_EQ(each.get(), EBADF);
    }
    EXPECT_EQ(looks.get(), POLLNVAL);
    EXPECT_EQ(waiting.get(), 5);
    all_goes_on();
    GetParam().close_all();
    all_goes_on();
}

TEST_P(sweeping, by_a_thread_without_a_hub) {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    auto reader = parked([&] { return read_byte(pair[0]); });
    auto sleeper = parked([] { return usleep(1000); });
    std::thread(GetParam().close_all).join();
    EXPECT_EQ(sleeper.get(), 0);
    EXPECT_EQ(reader.get(), EBADF);
    all_goes_on();
}

// That hub sleeps in a set that nobody can name any more, and has not looked when the next is made.
TEST_P(sweeping, beside_a_hub_that_sleeps) {
    tendril::event woken;
    std::atomic<pid_t> sleeper{0};
    std::thread other([&] {
        sleeper = tendril::test::thread_id();
        woken.wait();
        all_goes_on();
    });
    while (!tendril::test::sleeps_in_hub(sleeper)) {
        this_fiber::yield();
    }
    GetParam().close_all();
    std::thread later([&] {
        all_goes_on();
        woken.set();
    });
    later.join();
    other.join();
    all_goes_on();
}

// The fd by which a fiber waits for signals is none of the program's.
TEST(sweeping_beside, a_wait_for_signals) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    for (const auto sweep : {&by_closefrom, &by_system_call}) {
        auto waits = parked([&] {
            timespec at_most = {0, 50'000'000};
            EXPECT_EQ(sigtimedwait(&set, nullptr, &at_most), -1);
            return errno;
        });
        auto selects = parked([&] {
            sigset_t none;
            sigemptyset(&none);
            timespec at_most = {0, 50'000'000};
            return error_of(pselect(0, nullptr, nullptr, nullptr, &at_most, &none));
        });
        sweep();
        const int mine = open("/dev/null", O_RDONLY | O_CLOEXEC);
        EXPECT_EQ(mine, first);
        EXPECT_EQ(waits.get(), EAGAIN);
        EXPECT_EQ(selects.get(), 0);
        EXPECT_GE(fcntl(mine, F_GETFD), 0) << "closed by somebody else";
        close(mine);
    }
}

TEST(own_fds, are_not_open_to_the_program) {
    spawn([] { this_fiber::sleep_for(std::chrono::milliseconds(1)); }).join();
    int hubs = 0;
    for (const int fd : listed()) {
        char target[64] = {};
        const std::string link = "/proc/self/fd/" + std::to_string(fd);
        if (readlink(link.c_str(), target, sizeof target - 1) > 0 &&
            std::string(target) == "anon_inode:[eventpoll]") {
            ++hubs;
            struct stat status {};
            EXPECT_EQ(fstat(fd, &status), -1);
            EXPECT_EQ(errno, EBADF);
            std::thread([&] { EXPECT_EQ(fstat(fd, &status), -1); }).join();
        }
    }
    EXPECT_GE(hubs, 1);
}

INSTANTIATE_TEST_SUITE_P(
    all, sweeping,
    testing::Values(
        sweep{"by_close_range", by_close_range}, sweep{"by_closefrom", by_closefrom},
        sweep{"one_by_one", one_by_one}, sweep{"those_that_are_listed", those_that_are_listed},
        sweep{"with_something_else", with_something_else}, sweep{"by_system_call", by_system_call},
        sweep{"one_by_one_by_system_call", one_by_one_by_system_call},
        sweep{"with_something_else_by_system_call", with_something_else_by_system_call}),
    [](const auto& each) { return std::string(each.param.name); });

} // namespace
