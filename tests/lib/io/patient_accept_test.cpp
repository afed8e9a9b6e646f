// SPDX-License-Identifier: BSL-1.0
// accept on a blocking listener where io_uring is refused: a worker makes the call, and may be
// stuck in it because another process was faster.
#include "io/operations.hpp"
#include "io/uring_accept.hpp"
#include "support/sockets.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <tendril/fiber.hpp>
#include <thread>
#include <vector>

namespace {

namespace io = tendril::detail::io;
using namespace std::chrono_literals;
using namespace tendril::test;

std::atomic<int> accepting;  // calls that entered accept4
std::atomic<int> lies;       // how often poll is to say that there is a connection
std::atomic<int> blocked_at; // the last fd that accept4 was called for

/// For the whole process, because workers read the table as long as they live.
void watch_calls() {
    static const bool watching = [] {
        tendril::sys::real.poll = [](pollfd* fds, nfds_t count, int timeout) {
            if (count == 1 && fds->events == POLLIN && lies > 0) {
                --lies;
                fds->revents = POLLIN;
                return 1;
            }
            return ::poll(fds, count, timeout);
        };
        tendril::sys::real.accept4 = [](int fd, sockaddr* peer, socklen_t* size, int flags) {
            blocked_at = fd;
            ++accepting;
            return ::accept4(fd, peer, size, flags);
        };
        return true;
    }();
    static_cast<void>(watching);
}

class patient_accept : public testing::Test {
protected:
    static void SetUpTestSuite() { watch_calls(); }
    void SetUp() override {
        accepting = 0;
        lies = 0;
        io::uring_accept::allowed = false;
    }
    void TearDown() override { io::uring_accept::allowed = true; }

    /// A fiber that saw a connection which then was gone; its worker is in accept4.
    tendril::fiber<int> stuck(int listener, std::chrono::milliseconds limit = 1h) {
        const auto accept_until = [listener, limit] {
            io::options o;
            o.deadline = std::chrono::steady_clock::now() + limit;
            return io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC, o);
        };
        for (;;) {
            lies = 1;
            auto acceptor = tendril::spawn(accept_until);
            while (accepting == 0 && !acceptor.ready()) {
                settle();
            }
            if (accepting != 0) {
                return acceptor;
            }
            acceptor.join(); // it gave up before its worker began
        }
    }

    owned_fd listener_ = tcp_listener();
};

int accept_one(int listener, int flags = SOCK_CLOEXEC) {
    io::options o;
    return io::accept4(listener, nullptr, nullptr, flags, o);
}

std::uint16_t port_of(int fd) {
    return ntohs(local_address(fd).sin_port);
}

std::uint16_t peer_port_of(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    check(::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size), "getpeername");
    return ntohs(address.sin_port);
}

/// What the other side learns: true if the connection was closed.
bool is_gone(int fd) {
    char c = 0;
    io::options o;
    const ssize_t n = io::read(fd, &c, 1, o);
    return n == 0 || n == -ECONNRESET;
}

TEST_F(patient_accept, gives_what_accept4_gives) {
    for (const int flags :
         std::initializer_list<int>{0, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK}) {
        const owned_fd client = tcp_client(listener_);
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        io::options o;
        const owned_fd fd(
            io::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size, flags, o));
        ASSERT_GE(fd, 0);
        EXPECT_EQ(size, sizeof peer);
        EXPECT_EQ(ntohs(peer.sin_port), port_of(client));
        EXPECT_EQ(::fcntl(fd, F_GETFD), (flags & SOCK_CLOEXEC) != 0 ? FD_CLOEXEC : 0);
        EXPECT_EQ(is_nonblocking(fd), (flags & SOCK_NONBLOCK) != 0);
        EXPECT_FALSE(is_nonblocking(listener_));
    }
    EXPECT_EQ(accepting, 4);
    // A room too small takes the beginning, and is told the whole size.
    const owned_fd client = tcp_client(listener_);
    sockaddr_storage peer{};
    socklen_t size = sizeof(sa_family_t);
    io::options o;
    EXPECT_GE(owned_fd(io::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size, 0, o)), 0);
    EXPECT_EQ(size, sizeof(sockaddr_in));
    EXPECT_EQ(peer.ss_family, AF_INET);
    EXPECT_EQ(accept_one(listener_, 12345), -EINVAL);
}

TEST_F(patient_accept, does_not_stop_the_hub) {
    auto acceptor = stuck(listener_);
    EXPECT_FALSE(acceptor.ready());
    const owned_fd client = tcp_client(listener_);
    const owned_fd fd(acceptor.get());
    EXPECT_EQ(peer_port_of(fd), port_of(client));
    EXPECT_EQ(accepting, 1);
}

TEST_F(patient_accept, many_acceptors_share_one_worker) {
    auto first = stuck(listener_);
    std::vector<tendril::fiber<int>> others;
    for (int i = 0; i < 4; ++i) {
        lies = 1;
        others.push_back(tendril::spawn([&] { return accept_one(listener_); }));
        settle();
    }
    EXPECT_EQ(accepting, 1);
    std::vector<owned_fd> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(tcp_client(listener_));
    }
    EXPECT_GE(owned_fd(first.get()), 0);
    for (auto& other : others) {
        EXPECT_GE(owned_fd(other.get()), 0);
    }
}

// Whoever comes next gets what the worker of a fiber that gave up has accepted.
TEST_F(patient_accept, no_connection_is_lost_when_a_fiber_gives_up) {
    auto acceptor = stuck(listener_, 2ms);
    EXPECT_EQ(acceptor.get(), -ETIMEDOUT);
    const owned_fd client = tcp_client(listener_);
    auto next = tendril::spawn([&] { return accept_one(listener_); });
    const owned_fd fd(next.get());
    EXPECT_EQ(peer_port_of(fd), port_of(client));
    EXPECT_EQ(accepting, 1);
}

TEST_F(patient_accept, whoever_waits_already_gets_what_another_gave_up) {
    auto acceptor = stuck(listener_, 20ms);
    auto next = tendril::spawn([&] { return accept_one(listener_); });
    EXPECT_EQ(acceptor.get(), -ETIMEDOUT);
    EXPECT_FALSE(next.ready());
    const owned_fd client = tcp_client(listener_);
    const owned_fd fd(next.get());
    EXPECT_EQ(peer_port_of(fd), port_of(client));
    EXPECT_EQ(accepting, 1);
}

TEST_F(patient_accept, closing_the_listener_ends_the_wait_and_closes_what_comes) {
    const owned_fd client_end = [&] {
        auto acceptor = stuck(listener_);
        const sockaddr_in address = local_address(listener_);
        listener_.reset();
        EXPECT_EQ(acceptor.get(), -EBADF);
        // The worker is in accept4 still, as a thread would be: the listener lives until then.
        owned_fd client(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        check(::connect(client, as_sockaddr(address), sizeof address), "connect");
        return client;
    }();
    EXPECT_TRUE(is_gone(client_end));
}

TEST_F(patient_accept, goes_on_for_another_fd_of_the_listener) {
    owned_fd copy(::fcntl(listener_, F_DUPFD_CLOEXEC, 0));
    auto acceptor = stuck(listener_);
    listener_.reset();
    EXPECT_EQ(acceptor.get(), -EBADF);
    const owned_fd client = tcp_client(copy);
    const owned_fd fd(accept_one(copy));
    EXPECT_EQ(peer_port_of(fd), port_of(client));
}

TEST_F(patient_accept, a_number_used_again_does_not_get_the_old_listener_s_connection) {
    auto acceptor = stuck(listener_);
    const sockaddr_in old_address = local_address(listener_);
    const int number = listener_;
    listener_.reset();
    EXPECT_EQ(acceptor.get(), -EBADF);
    owned_fd other = tcp_listener();
    ASSERT_EQ(other, number);
    const owned_fd old_client(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    check(::connect(old_client, as_sockaddr(old_address), sizeof old_address), "connect");
    EXPECT_TRUE(is_gone(old_client));
    const owned_fd client = tcp_client(other);
    const owned_fd fd(accept_one(other));
    EXPECT_EQ(peer_port_of(fd), port_of(client));
}

TEST_F(patient_accept, reports_what_the_worker_met) {
    const fd_pair pair = pipe_pair();
    lies = 1;
    EXPECT_EQ(accept_one(pair.a), -ENOTSOCK);
    EXPECT_EQ(accept_one(-1), -EBADF);
    const owned_fd idle(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    EXPECT_EQ(accept_one(idle), -EINVAL);
}

TEST_F(patient_accept, serves_several_hubs) {
    auto here = stuck(listener_);
    std::atomic<int> got{0};
    std::thread there([&] {
        auto fiber = tendril::spawn([&] { return owned_fd(accept_one(listener_)) >= 0 ? 1 : 0; });
        got = fiber.get();
    });
    const owned_fd a = tcp_client(listener_);
    const owned_fd b = tcp_client(listener_);
    EXPECT_GE(owned_fd(here.get()), 0);
    there.join();
    EXPECT_EQ(got, 1);
}

// A sibling process that accepts from the same listener takes some of the connections: none is
// lost, and the hub goes on while its worker waits in vain.
class beside_a_sibling : public testing::TestWithParam<bool> {
protected:
    static void SetUpTestSuite() { watch_calls(); }
    void SetUp() override { io::uring_accept::allowed = GetParam(); }
    void TearDown() override { io::uring_accept::allowed = true; }
};

TEST_P(beside_a_sibling, every_connection_is_accepted_once) {
    if (!can_fork_beside_threads()) {
        GTEST_SKIP();
    }
    constexpr int clients = 300;
    owned_fd listener = tcp_listener();
    const sockaddr_in address = local_address(listener);
    fd_pair report = pipe_pair();
    fd_pair stop = pipe_pair();
    const pid_t sibling = ::fork();
    ASSERT_GE(sibling, 0);
    if (sibling == 0) {
        // Plain libc: this process knows nothing of fibers.
        pollfd fds[] = {{listener, POLLIN, 0}, {stop.a, POLLIN, 0}};
        ::close(stop.b.release());
        for (;;) {
            ::poll(fds, 2, -1);
            if ((fds[0].revents & POLLIN) != 0) {
                pollfd still{listener, POLLIN, 0};
                const int fd = ::poll(&still, 1, 0) > 0 ? ::accept(listener, nullptr, nullptr) : -1;
                if (fd >= 0) {
                    ::close(fd);
                    char c = is_nonblocking(listener) ? 'N' : 'b';
                    if (::write(report.b, &c, 1) != 1) {
                        ::_exit(1);
                    }
                }
            } else if (fds[1].revents != 0) {
                ::_exit(0);
            }
        }
    }
    int here = 0;
    auto acceptor = tendril::spawn([&] {
        for (;;) {
            const owned_fd fd(accept_one(listener));
            if (fd < 0) {
                return fd.operator int();
            }
            ++here;
        }
    });
    // Each is over, by whomever, before the next begins: so after the last the hub has nothing to
    // do but what it must not be kept from.
    for (int i = 0; i < clients; ++i) {
        const owned_fd client(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        io::options o;
        ASSERT_EQ(io::connect(client, as_sockaddr(address), sizeof address, o), 0);
        EXPECT_TRUE(is_gone(client));
    }
    settle();
    stop.b.reset();
    listener.reset();
    EXPECT_EQ(acceptor.get(), -EBADF);
    // A sibling that is stuck in its own accept gets one more.
    int status = -1;
    while (::waitpid(sibling, &status, WNOHANG) != sibling) {
        const owned_fd client(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        ::connect(client, as_sockaddr(address), sizeof address);
        settle();
    }
    EXPECT_EQ(status, 0);
    report.b.reset();
    std::string there;
    char c = 0;
    io::options o;
    while (io::read(report.a, &c, 1, o) == 1) {
        there += c;
    }
    EXPECT_EQ(there.find('N'), std::string::npos); // O_NONBLOCK never showed
    EXPECT_GE(here + static_cast<int>(there.size()), clients);
}

INSTANTIATE_TEST_SUITE_P(by, beside_a_sibling, testing::Values(true, false),
                         [](const testing::TestParamInfo<bool>& uring) {
                             return std::string(uring.param ? "io_uring" : "worker");
                         });

// The child of a fork holds no copy of a connection that a worker accepted for its parent.
TEST_F(patient_accept, what_is_kept_is_the_parent_s_alone) {
    if (!can_fork_beside_threads()) {
        GTEST_SKIP();
    }
    auto acceptor = stuck(listener_, 2ms);
    EXPECT_EQ(acceptor.get(), -ETIMEDOUT);
    const owned_fd client = tcp_client(listener_);
    // Until the worker has let go of its fd, the connection is not kept.
    while (tendril::sys::is_own(blocked_at)) {
        settle();
    }
    fd_pair stop = pipe_pair();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::close(stop.b.release());
        char c = 0;
        ::_exit(::read(stop.a, &c, 1) == 0 ? 0 : 1);
    }
    {
        const owned_fd fd(accept_one(listener_));
        EXPECT_EQ(peer_port_of(fd), port_of(client));
    }
    EXPECT_TRUE(is_gone(client)); // although the child is there
    stop.b.reset();
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

} // namespace
