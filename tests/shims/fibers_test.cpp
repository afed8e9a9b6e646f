// SPDX-License-Identifier: BSL-1.0
// Plain libc calls from fibers, with the shim preloaded: each parks its fiber alone, and what
// happens to an fd reaches whoever waits for it.
#include "lib/dns/resolve_fixture.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using tendril::spawn;
namespace this_fiber = tendril::this_fiber;

struct outcome {
    ssize_t result;
    int error;
    std::string bytes;
    friend bool operator==(const outcome& a, const outcome& b) {
        return a.result == b.result && a.error == b.error && a.bytes == b.bytes;
    }
};

outcome failed(int error) {
    return {-1, error, ""};
}

outcome reading(int fd) {
    char buffer[64];
    errno = 0;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    const int error = errno;
    return {n, error, n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : ""};
}

/// A fiber that reads from fd, parked there by the time this returns.
tendril::fiber<outcome> parked_reader(int fd) {
    bool begun = false;
    auto f = spawn([fd, &begun] {
        begun = true;
        return reading(fd);
    });
    while (!begun) {
        this_fiber::yield();
    }
    EXPECT_FALSE(f.ready());
    return f;
}

struct pipe_pair {
    pipe_pair() { EXPECT_EQ(pipe(ends), 0); }
    ~pipe_pair() {
        close(ends[0]);
        close(ends[1]);
    }
    int ends[2];
};

class fibers : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_NE(dlsym(RTLD_DEFAULT, "tendril_shim_attach_v1"), nullptr) << "not preloaded";
        tendril::hub::current();
    }
};

TEST_F(fibers, park_alone) {
    pipe_pair to;
    pipe_pair from;
    auto echo = spawn([&] {
        for (int i = 0; i < 100; ++i) {
            const outcome got = reading(to.ends[0]);
            EXPECT_EQ(write(from.ends[1], got.bytes.data(), got.bytes.size()), got.result);
        }
    });
    for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(i);
        ASSERT_EQ(write(to.ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
        EXPECT_EQ(reading(from.ends[0]).bytes, text);
    }
    echo.join();
}

TEST_F(fibers, sleep_at_the_same_time) {
    constexpr int count = 20;
    int begun = 0;
    std::vector<tendril::fiber<int>> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(spawn([&begun] {
            ++begun;
            EXPECT_EQ(usleep(50'000), 0);
            return begun;
        }));
    }
    for (auto& f : all) {
        EXPECT_EQ(f.get(), count);
    }
}

TEST_F(fibers, keep_their_errno) {
    pipe_pair p;
    auto f = spawn([&] {
        errno = ERANGE;
        char byte;
        EXPECT_EQ(read(p.ends[0], &byte, 1), 1);
        return errno;
    });
    this_fiber::yield();
    EXPECT_EQ(reading(-1), failed(EBADF));
    ASSERT_EQ(write(p.ends[1], "x", 1), 1);
    EXPECT_EQ(f.get(), ERANGE);
}

TEST_F(fibers, yield_to_each_other) {
    bool flag = false;
    auto spinner = spawn([&] {
        while (!flag) {
            EXPECT_EQ(sched_yield(), 0);
        }
    });
    this_fiber::yield();
    flag = true;
    spinner.join();
}

TEST_F(fibers, get_EBADF_when_their_fd_is_closed) {
    pipe_pair p;
    auto waiter = parked_reader(p.ends[0]);
    EXPECT_EQ(close(p.ends[0]), 0);
    // Woken by the close, not by what looks after those who wait for long.
    this_fiber::yield();
    EXPECT_TRUE(waiter.ready());
    EXPECT_EQ(waiter.get(), failed(EBADF));
}

TEST_F(fibers, get_EBADF_when_their_fd_is_replaced) {
    for (int way = 0; way < 2; ++way) {
        pipe_pair before;
        pipe_pair after;
        auto waiter = parked_reader(before.ends[0]);
        ASSERT_EQ(write(after.ends[1], "not yours", 9), 9);
        const int fd = before.ends[0];
        EXPECT_EQ(way == 0 ? dup2(after.ends[0], fd) : dup3(after.ends[0], fd, O_CLOEXEC), fd);
        EXPECT_EQ(waiter.get(), failed(EBADF));
        EXPECT_EQ(reading(fd).bytes, "not yours");
    }
}

TEST_F(fibers, get_EBADF_when_a_range_is_closed) {
    pipe_pair p;
    // Above all that the hub uses.
    const int fd = fcntl(p.ends[0], F_DUPFD, 500);
    ASSERT_GE(fd, 500);
    auto waiter = parked_reader(fd);
    EXPECT_EQ(close_range(500, 600, 0), 0);
    EXPECT_EQ(waiter.get(), failed(EBADF));
}

TEST_F(fibers, never_get_what_came_for_the_next_fd_of_the_number) {
    pipe_pair old;
    auto waiter = parked_reader(old.ends[0]);
    // Behind the shim's back, as fclose would.
    const int fd = old.ends[0];
    ASSERT_EQ(syscall(SYS_close, fd), 0);
    int s[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    ASSERT_EQ(s[0], fd);
    ASSERT_EQ(write(s[1], "new", 3), 3);
    EXPECT_EQ(waiter.get(), failed(EBADF));
    EXPECT_EQ(reading(s[0]).bytes, "new");
    close(s[1]);
}

TEST_F(fibers, see_their_socket_shut_down) {
    int s[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    auto waiter = parked_reader(s[0]);
    EXPECT_EQ(shutdown(s[0], SHUT_RD), 0);
    EXPECT_EQ(waiter.get(), (outcome{0, 0, ""}));
    close(s[0]);
    close(s[1]);
}

TEST_F(fibers, serve_and_connect) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const to = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(listener, to, size), 0);
    ASSERT_EQ(listen(listener, 64), 0);
    ASSERT_EQ(getsockname(listener, to, &size), 0);

    constexpr int clients = 50;
    auto server = spawn([&] {
        std::vector<tendril::fiber<void>> connections;
        for (int i = 0; i < clients; ++i) {
            const int fd = accept(listener, nullptr, nullptr);
            ASSERT_GE(fd, 0) << strerror(errno);
            connections.push_back(spawn([fd] {
                const outcome asked = reading(fd);
                EXPECT_EQ(write(fd, asked.bytes.data(), asked.bytes.size()), asked.result);
                close(fd);
            }));
        }
        for (auto& c : connections) {
            c.join();
        }
    });
    std::vector<tendril::fiber<void>> all;
    for (int i = 0; i < clients; ++i) {
        all.push_back(spawn([&, i] {
            const int fd = socket(AF_INET, SOCK_STREAM, 0);
            ASSERT_EQ(connect(fd, to, size), 0) << strerror(errno);
            const std::string text = "client " + std::to_string(i);
            EXPECT_EQ(send(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
            EXPECT_EQ(reading(fd).bytes, text);
            EXPECT_EQ(reading(fd), (outcome{0, 0, ""}));
            close(fd);
        }));
    }
    for (auto& c : all) {
        c.join();
    }
    server.join();
    close(listener);
}

TEST_F(fibers, poll_and_select_the_same_fd) {
    pipe_pair p;
    int woken = 0;
    std::vector<tendril::fiber<void>> all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(spawn([&] {
            pollfd one{p.ends[0], POLLIN, 0};
            EXPECT_EQ(poll(&one, 1, -1), 1);
            EXPECT_EQ(one.revents, POLLIN);
            ++woken;
        }));
        all.push_back(spawn([&] {
            fd_set in;
            FD_ZERO(&in);
            FD_SET(p.ends[0], &in);
            EXPECT_EQ(select(p.ends[0] + 1, &in, nullptr, nullptr, nullptr), 1);
            ++woken;
        }));
    }
    this_fiber::yield();
    EXPECT_EQ(woken, 0);
    ASSERT_EQ(write(p.ends[1], "x", 1), 1);
    for (auto& f : all) {
        f.join();
    }
    EXPECT_EQ(woken, 6);
}

TEST_F(fibers, read_write_and_look_at_one_socket) {
    int s[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    const std::string filler(100'000, 'f');
    while (send(s[0], filler.data(), filler.size(), MSG_DONTWAIT) > 0) {
    }
    std::vector<tendril::fiber<void>> all;
    int done = 0;
    for (int i = 0; i < 3; ++i) {
        all.push_back(spawn([&] {
            char byte;
            EXPECT_EQ(read(s[0], &byte, 1), 1);
            ++done;
        }));
        all.push_back(spawn([&] {
            pollfd one{s[0], POLLIN, 0};
            EXPECT_EQ(poll(&one, 1, -1), 1);
            ++done;
        }));
        all.push_back(spawn([&] {
            EXPECT_EQ(send(s[0], filler.data(), filler.size(), MSG_NOSIGNAL), -1);
            EXPECT_EQ(errno, EPIPE);
            ++done;
        }));
    }
    this_fiber::yield();
    EXPECT_EQ(done, 0);
    ASSERT_EQ(write(s[1], "xyz", 3), 3);
    while (done < 6) {
        this_fiber::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(shutdown(s[0], SHUT_WR), 0);
    for (auto& f : all) {
        f.join();
    }
    EXPECT_EQ(done, 9);
    close(s[0]);
    close(s[1]);
}

TEST_F(fibers, time_out_as_their_socket_says) {
    int s[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    const timeval limit{0, 20'000};
    ASSERT_EQ(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    bool ran = false;
    auto other = spawn([&] { ran = true; });
    EXPECT_EQ(reading(s[0]), failed(EAGAIN));
    EXPECT_TRUE(ran);
    other.join();
    close(s[0]);
    close(s[1]);
}

TEST_F(fibers, end_with_their_thread) {
    std::thread([] {
        pipe_pair p;
        auto waiter = parked_reader(p.ends[0]);
        ASSERT_EQ(write(p.ends[1], "x", 1), 1);
        EXPECT_EQ(waiter.get().bytes, "x");
    }).join();
    // The next one may get the same hub.
    std::thread([] { EXPECT_EQ(usleep(1000), 0); }).join();
    std::thread([] { spawn([] { EXPECT_EQ(usleep(1000), 0); }).join(); }).join();
}

TEST_F(fibers, go_on_alone_in_a_child) {
    pipe_pair p;
    auto bystander = parked_reader(p.ends[0]);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        pipe_pair own;
        auto f = spawn([&] { return reading(own.ends[0]).bytes == "child" ? 7 : 1; });
        usleep(1000);
        const bool good = write(own.ends[1], "child", 5) == 5;
        _exit(good ? f.get() : 2);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
    EXPECT_FALSE(bystander.ready());
    ASSERT_EQ(write(p.ends[1], "parent", 6), 6);
    EXPECT_EQ(bystander.get().bytes, "parent");
}

class fiber_names : public tendril_test::resolve {};

// This fiber is the name server, and answers nobody before all have asked.
TEST_F(fiber_names, are_asked_for_at_once) {
    constexpr std::size_t count = 20;
    const int server = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(getsockname(server, reinterpret_cast<sockaddr*>(&address), &size), 0);
    const std::string endpoint = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    setenv("TENDRIL_NAMESERVERS", endpoint.c_str(), 1);

    std::vector<tendril::fiber<int>> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(spawn([name = "name" + std::to_string(i) + ".test."] {
            addrinfo hints{};
            hints.ai_family = AF_INET;
            addrinfo* list = nullptr;
            return getaddrinfo(name.c_str(), "80", &hints, &list);
        }));
    }
    std::map<std::string, sockaddr_in> asked; // a question may come twice
    while (asked.size() < count) {
        char question[512];
        const ssize_t n = recvfrom(server, question, sizeof question, 0,
                                   reinterpret_cast<sockaddr*>(&address), &size);
        ASSERT_GT(n, 12);
        asked[std::string(question, static_cast<std::size_t>(n))] = address;
    }
    for (const auto& [question, to] : asked) {
        std::string message = question;
        message[2] = static_cast<char>(message[2] | 0x80); // an answer
        message[3] = 3;                                    // there is no such name
        EXPECT_GT(sendto(server, message.data(), message.size(), 0,
                         reinterpret_cast<const sockaddr*>(&to), sizeof to),
                  0);
    }
    for (auto& f : all) {
        EXPECT_EQ(f.get(), EAI_NONAME);
    }
    close(server);
}

// This program has the library in itself, and came first.
TEST(two_copies, second_is_refused_and_says_so) {
    tendril::hub::current();
    void* const other = dlopen(TENDRIL_TEST_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(other, nullptr) << dlerror();
    using current = tendril::hub (*)();
    // tendril::v1::hub::current()
    const auto its_hub = reinterpret_cast<current>(dlsym(other, "_ZN7tendril2v13hub7currentEv"));
    ASSERT_NE(its_hub, nullptr) << dlerror();
    testing::internal::CaptureStderr();
    std::thread([&] {
        its_hub();
        EXPECT_EQ(usleep(1000), 0);
    }).join();
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                testing::HasSubstr("another copy of libtendril"));
    // The first goes on.
    bool ran = false;
    auto f = spawn([&] { ran = true; });
    EXPECT_EQ(usleep(1000), 0);
    EXPECT_TRUE(ran);
    f.join();
}

} // namespace
