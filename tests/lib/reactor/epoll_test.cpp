// SPDX-License-Identifier: BSL-1.0
// The reactor contract, held against epoll.
#include "reactor/epoll.hpp"
#include "support/asleep.hpp"
#include "support/sockets.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <set>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <tendril/unique_fd.hpp>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tendril::test;
using tendril::detail::epoll_reactor;
using tendril::detail::never;
using tendril::detail::time_point;
namespace readiness = tendril::detail::readiness;

struct log final : tendril::detail::reactor::listener {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> reports;
    void on_ready(std::uint64_t token, std::uint32_t events) noexcept override {
        reports.emplace_back(token, events);
    }
    int lost = 0;
    void on_lost() noexcept override { ++lost; }
    std::uint32_t take() {
        std::uint32_t all = 0;
        for (const auto& report : std::exchange(reports, {})) {
            all |= report.second;
        }
        return all;
    }
};

constexpr std::uint32_t all_events =
    readiness::in | readiness::out | readiness::pri | readiness::rdhup;

class epoll : public testing::Test {
protected:
    std::uint32_t poll_now() {
        reactor_.poll(time_point::min(), log_);
        return log_.take();
    }
    epoll_reactor reactor_;
    log log_;
};

TEST_F(epoll, says_whether_there_is_more) {
    std::vector<tendril::io::unique_fd> fds;
    for (int i = 0; i < 300; ++i) {
        fds.emplace_back(::eventfd(1, EFD_CLOEXEC));
        ASSERT_EQ(reactor_.watch(fds.back().get(), static_cast<std::uint64_t>(i), readiness::in),
                  0);
    }
    while (reactor_.poll(time_point::min(), log_)) {
        EXPECT_LT(log_.reports.size(), fds.size());
    }
    std::set<std::uint64_t> seen;
    for (const auto& [token, events] : log_.reports) {
        EXPECT_TRUE(seen.insert(token).second) << token;
    }
    EXPECT_EQ(seen.size(), fds.size());
}

TEST(own_fds, leave_low_numbers_to_the_program_under_a_low_limit) {
    const auto run = [] {
        const rlimit low{256, 256};
        const int first = ::setrlimit(RLIMIT_NOFILE, &low) == 0 ? ::dup(2) : -1;
        ::close(first);
        const epoll_reactor reactor;
        std::exit(first >= 0 && ::dup(2) == first ? 0 : 1);
    };
    EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST_F(epoll, reports_edges_once) {
    const fd_pair pair = tcp_pair();
    ASSERT_EQ(reactor_.watch(pair.a, 7, readiness::in), 0);
    EXPECT_EQ(poll_now(), 0U);
    ASSERT_EQ(::write(pair.b, "x", 1), 1);
    reactor_.poll(never, log_);
    ASSERT_EQ(log_.reports.size(), 1U);
    EXPECT_EQ(log_.reports[0].first, 7U);
    EXPECT_EQ(log_.take(), readiness::in);
    EXPECT_EQ(poll_now(), 0U); // still readable, but no edge
    ASSERT_EQ(::write(pair.b, "x", 1), 1);
    EXPECT_EQ(poll_now(), readiness::in);
}

TEST_F(epoll, reports_what_is_ready_already) {
    const fd_pair pair = tcp_pair();
    ASSERT_EQ(::write(pair.b, "x", 1), 1);
    ASSERT_EQ(reactor_.watch(pair.a, 1, all_events), 0);
    EXPECT_EQ(poll_now(), readiness::in | readiness::out);
    ASSERT_EQ(reactor_.rewatch(pair.a, 2, readiness::in), 0);
    reactor_.poll(time_point::min(), log_);
    ASSERT_EQ(log_.reports.size(), 1U);
    EXPECT_EQ(log_.reports[0].first, 2U);
    EXPECT_EQ(log_.take(), readiness::in);
}

/// By system calls: so do those who are not seen, and TSan would see a race with who waits for
/// them.
int close_all_of_ours() {
    int closed = 0;
    for (int fd = 0; (fd = tendril::sys::next_own(fd)) >= 0; ++fd) {
        closed += ::syscall(SYS_close, fd) == 0 ? 1 : 0;
    }
    return closed;
}

TEST_F(epoll, makes_itself_anew_when_its_fds_are_closed) {
    const fd_pair pair = tcp_pair();
    ASSERT_EQ(reactor_.watch(pair.a, 1, readiness::in), 0);
    ASSERT_EQ(close_all_of_ours(), 2);
    reactor_.poll(never, log_);
    EXPECT_EQ(log_.lost, 1);
    ASSERT_EQ(reactor_.watch(pair.a, 2, readiness::in), 0) << "it watches nothing";
    ASSERT_EQ(::write(pair.b, "x", 1), 1);
    EXPECT_EQ(poll_now(), readiness::in);

    // Found out by who wants something watched, who may have closed his fd instead.
    ASSERT_EQ(close_all_of_ours(), 2);
    ASSERT_EQ(reactor_.watch(pair.b, 3, readiness::out), 0);
    EXPECT_EQ(poll_now(), 0U);
    EXPECT_EQ(log_.lost, 2);
    EXPECT_EQ(poll_now(), readiness::out);
    EXPECT_EQ(reactor_.watch(-1, 4, readiness::in), EBADF);
    EXPECT_EQ(poll_now(), 0U);
    EXPECT_EQ(log_.lost, 2);

    std::thread other([&] { reactor_.interrupt(); });
    reactor_.poll(never, log_);
    other.join();
}

// The kernel goes on waiting in a set that is closed meanwhile, and nothing in it is left.
TEST_F(epoll, is_interrupted_when_its_fds_were_closed_under_it) {
    const fd_pair pair = tcp_pair();
    for (const auto wait_until : {never, reactor_.now() + 1h}) {
        const int lost_before = log_.lost;
        std::atomic<pid_t> sleeper{0};
        std::thread owner([&] {
            reactor_.attached();
            sleeper = thread_id();
            reactor_.poll(wait_until, log_);
        });
        while (!sleeps_in_hub(sleeper)) {
            std::this_thread::yield();
        }
        ASSERT_EQ(close_all_of_ours(), 2);
        reactor_.interrupt();
        owner.join();
        EXPECT_EQ(log_.lost, lost_before + 1);
        reactor_.attached();
        ASSERT_EQ(reactor_.watch(pair.b, 1, readiness::out), 0);
        EXPECT_EQ(poll_now(), readiness::out);
    }
}

TEST_F(epoll, does_not_write_into_what_has_its_numbers_now) {
    const fd_pair pipe = pipe_pair();
    std::vector<owned_fd> copies;
    for (int fd = 0; (fd = tendril::sys::next_own(fd)) >= 0; ++fd) {
        copies.emplace_back(check(::dup2(pipe.b, fd), "dup2"));
    }
    ASSERT_EQ(copies.size(), 2U);
    reactor_.interrupt();
    ASSERT_EQ(::fcntl(pipe.a, F_SETFL, O_NONBLOCK), 0);
    std::array<char, 16> bytes{};
    EXPECT_EQ(::read(pipe.a, bytes.data(), bytes.size()), -1);
    EXPECT_EQ(errno, EAGAIN);
    reactor_.poll(never, log_);
    EXPECT_EQ(log_.lost, 1);
}

TEST_F(epoll, gets_no_numbers_that_another_one_has_not_lost_yet) {
    const fd_pair pair = tcp_pair();
    ASSERT_EQ(close_all_of_ours(), 2);
    epoll_reactor later;
    log seen_later;
    ASSERT_EQ(later.watch(pair.a, 1, readiness::out), 0);
    ASSERT_EQ(reactor_.watch(pair.b, 2, readiness::out), 0);
    EXPECT_EQ(poll_now(), 0U);
    EXPECT_EQ(log_.lost, 1);
    EXPECT_EQ(poll_now(), readiness::out);
    EXPECT_EQ(log_.lost, 1);
    later.poll(time_point::min(), seen_later);
    EXPECT_EQ(seen_later.take(), readiness::out);
    EXPECT_EQ(seen_later.lost, 0);
}

TEST_F(epoll, tells_every_kind_of_event) {
    fd_pair pair = tcp_pair();
    ASSERT_EQ(reactor_.watch(pair.a, 1, readiness::in | readiness::pri | readiness::rdhup), 0);
    ASSERT_EQ(::send(pair.b, "!", 1, MSG_OOB), 1);
    EXPECT_EQ(poll_now() & readiness::pri, readiness::pri);
    ASSERT_EQ(::shutdown(pair.b, SHUT_WR), 0);
    EXPECT_EQ(poll_now() & (readiness::in | readiness::rdhup), readiness::in | readiness::rdhup);
    ASSERT_EQ(::shutdown(pair.a, SHUT_WR), 0);
    pair.b.reset();
    EXPECT_EQ(poll_now() & readiness::hup, readiness::hup);
    fd_pair broken = pipe_pair();
    ASSERT_EQ(reactor_.watch(broken.b, 2, readiness::out), 0);
    poll_now();
    broken.a.reset();
    EXPECT_EQ(poll_now() & readiness::err, readiness::err);
}

TEST_F(epoll, answers_with_the_errors_of_the_contract) {
    const owned_fd file(check(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), "open"));
    EXPECT_EQ(reactor_.watch(file, 1, readiness::in), EPERM);
    const fd_pair pair = tcp_pair();
    EXPECT_EQ(reactor_.rewatch(pair.a, 1, readiness::in), ENOENT);
    EXPECT_EQ(reactor_.unwatch(pair.a), ENOENT);
    EXPECT_EQ(reactor_.watch(pair.a, 1, readiness::in), 0);
    EXPECT_EQ(reactor_.watch(pair.a, 1, readiness::in), EEXIST);
    EXPECT_EQ(reactor_.unwatch(pair.a), 0);
    EXPECT_EQ(reactor_.watch(-1, 1, readiness::in), EBADF);
}

TEST_F(epoll, waits_until_the_deadline_and_not_longer) {
    const time_point until = reactor_.now() + 2ms;
    reactor_.poll(until, log_);
    EXPECT_GE(reactor_.now(), until);
    reactor_.poll(reactor_.now() - 1h, log_);
    EXPECT_EQ(log_.take(), 0U);
}

// Linux before 5.11, or a seccomp filter that does not know the call.
TEST_F(epoll, does_without_epoll_pwait2) {
    for (const int error : {ENOSYS, EPERM}) {
        static int refusal;
        refusal = error;
        const tendril::sys::calls saved = tendril::sys::real;
        tendril::sys::real.epoll_pwait2 = [](int, epoll_event*, int, const timespec*,
                                             const sigset_t*) -> int {
            errno = refusal;
            return -1;
        };
        epoll_reactor reactor;
        for (int i = 0; i < 2; ++i) {
            const time_point until = reactor.now() + 1500us;
            reactor.poll(until, log_);
            EXPECT_GE(reactor.now(), until);
        }
        tendril::sys::real = saved;
    }
}

TEST_F(epoll, is_interrupted_from_another_thread) {
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) {
            reactor_.interrupt();
            std::this_thread::yield();
        }
    });
    for (int i = 0; i < 10; ++i) {
        reactor_.poll(never, log_);
    }
    stop = true;
    other.join();
    EXPECT_EQ(log_.take(), 0U);
}

TEST_F(epoll, is_interrupted_by_a_signal_handler_but_not_by_the_signal) {
    static epoll_reactor* target;
    static std::atomic<int> ticks;
    target = &reactor_;
    ticks = 0;
    struct sigaction action {};
    struct sigaction saved {};
    action.sa_handler = [](int) {
        if (++ticks == 3) {
            target->interrupt();
        }
    };
    ASSERT_EQ(::sigaction(SIGALRM, &action, &saved), 0);
    const itimerval often{{0, 1000}, {0, 1000}};
    ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
    reactor_.poll(never, log_);
    EXPECT_GE(ticks, 3);
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &saved, nullptr);
}

TEST_F(epoll, forgets_everything_on_reset_but_stays_interruptible) {
    const fd_pair pair = tcp_pair();
    ASSERT_EQ(reactor_.watch(pair.a, 1, readiness::in), 0);
    ASSERT_EQ(reactor_.reset(), 0);
    ASSERT_EQ(::write(pair.b, "x", 1), 1);
    EXPECT_EQ(poll_now(), 0U);
    EXPECT_EQ(reactor_.unwatch(pair.a), ENOENT);
    reactor_.interrupt();
    reactor_.poll(never, log_);
    ASSERT_EQ(reactor_.watch(pair.a, 2, readiness::in), 0);
    EXPECT_EQ(poll_now(), readiness::in);
}

TEST_F(epoll, delivers_more_than_a_batch) {
    std::vector<fd_pair> pairs;
    constexpr std::uint64_t many = 700;
    for (std::uint64_t i = 0; i < many; ++i) {
        if (pairs.empty() || i % 400 == 0) {
            pairs.push_back(pipe_pair());
        }
    }
    // Duplicates of two readable pipes, each registered by itself.
    std::vector<owned_fd> copies;
    for (std::uint64_t i = 0; i < many; ++i) {
        copies.emplace_back(check(::fcntl(pairs[i % 2].a, F_DUPFD_CLOEXEC, 0), "dup"));
        ASSERT_EQ(reactor_.watch(copies.back(), i, readiness::in), 0);
    }
    for (const fd_pair& pair : pairs) {
        ASSERT_EQ(::write(pair.b, "x", 1), 1);
    }
    while (log_.reports.size() < many) {
        reactor_.poll(never, log_);
    }
    EXPECT_EQ(log_.reports.size(), many);
}

TEST_F(epoll, starts_anew_in_a_forked_child_and_leaves_the_parent_alone) {
    const fd_pair pair = tcp_pair();
    ASSERT_EQ(reactor_.watch(pair.a, 1, readiness::in), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        reactor_.forked();
        bool good = reactor_.unwatch(pair.a) == ENOENT && poll_now() == 0;
        good = good && reactor_.watch(pair.a, 2, readiness::in) == 0;
        good = good && ::write(pair.b, "x", 1) == 1 && poll_now() == readiness::in;
        good = good && reactor_.unwatch(pair.a) == 0;
        reactor_.interrupt();
        reactor_.poll(never, log_);
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    reactor_.poll(never, log_);
    EXPECT_EQ(log_.take(), readiness::in);
}

} // namespace
