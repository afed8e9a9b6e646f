// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/fd_waiters.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

/// Fibers of two hubs wait for numbers that two other threads close, replace and use again, while
/// there is something to read or room to write. Every message is the identity of its connection.
namespace tendril::test::reuse {

/// How fds are used: -1 and errno on failure.
struct calls {
    ssize_t (*read)(int fd, void* buffer, std::size_t size);
    ssize_t (*write)(int fd, const void* buffer, std::size_t size);
    int (*close)(int fd);
    int (*dup2)(int from, int to);
};

using identity = std::uint64_t;

struct statistics {
    std::atomic<long> rounds{0};
    std::atomic<long> closed{0};    ///< waits that ended because of the close
    std::atomic<long> came{0};      ///< those that ended with data, or wrote theirs
    std::atomic<long> misled{0};    ///< bytes of or to another connection
    std::atomic<long> surprised{0}; ///< anything else
};

/// What happened before fiber and actor are both done with a round.
struct visit {
    identity mine;
    std::atomic<bool> over{false};
};

/// One number, the connection behind it, and who waits for it.
class slot {
public:
    slot(const calls& c, statistics& s, unsigned number)
        : calls_(c)
        , statistics_(s)
        , next_(identity{number} << 40) {
        open(-1);
    }
    ~slot() {
        calls_.close(fd_);
        ::close(peer_);
    }
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;

    /// First step of a round: visitors on both hubs.
    void begin(const hub& one, const hub& other, unsigned chance) {
        writes_ = chance % 4 == 0;
        if (writes_) {
            fill();
        }
        const spawn_options how;
        guests_ = writes_ || chance % 3 == 0 ? 1 : 2;
        for (unsigned i = 0; i < guests_; ++i) {
            visit& v = visits_[i];
            v.mine = mine_;
            v.over = false;
            const auto body = [this, &v, fd = fd_, write = writes_] {
                write ? push(fd, v.mine) : pull(fd, v.mine);
                v.over = true;
            };
            tendril::spawn((chance / 4 + i) % 2 == 0 ? one : other, how, body).detach();
        }
    }

    /// They have begun to wait, so what follows comes after their calls, to everybody.
    bool parked() const {
        unsigned over = 0;
        for (unsigned i = 0; i < guests_; ++i) {
            over += visits_[i].over ? 1 : 0;
        }
        return over + static_cast<unsigned>(count_waiters(fd_)) >= guests_;
    }

    /// Something to do for those who wait, and at once another connection in the place of theirs.
    void replace(unsigned chance) {
        const int before = fd_;
        const int old_peer = peer_;
        if (chance % 5 != 0) {
            writes_ ? drain(old_peer, mine_) : poke(old_peer, mine_);
        }
        if (chance % 2 == 0) {
            open(before); // dup2 over it
        } else {
            calls_.close(before);
            open(-1); // often the same number again
        }
        poke(peer_, mine_);
        drain(old_peer, mine_ - 1); // also what may have been written just before
        ::close(old_peer);
    }

    bool done() const {
        for (unsigned i = 0; i < guests_; ++i) {
            if (!visits_[i].over) {
                return false;
            }
        }
        return true;
    }

    /// What the new connection has is its own, and nothing is lost.
    void end() {
        identity got = 0;
        const ssize_t n = ::recv(fd_, &got, sizeof got, MSG_DONTWAIT);
        statistics_.misled += n == sizeof got && got == mine_ ? 0 : 1;
        ++statistics_.rounds;
    }

private:
    void open(int at) {
        int fds[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
            ++statistics_.surprised;
            return;
        }
        mine_ = ++next_;
        peer_ = fds[1];
        fd_ = fds[0];
        if (at >= 0) {
            statistics_.surprised += calls_.dup2(fds[0], at) == at ? 0 : 1;
            calls_.close(fds[0]);
            fd_ = at;
        }
    }

    void fill() {
        const int smallest = 0;
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
        while (::send(fd_, &mine_, sizeof mine_, MSG_DONTWAIT) > 0) {
        }
    }

    static void poke(int fd, identity what) {
        [[maybe_unused]] const auto n = ::send(fd, &what, sizeof what, MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    /// Everything, which must all be of one connection.
    void drain(int fd, identity of) {
        std::array<identity, 512> got;
        ssize_t n = 0;
        while ((n = ::recv(fd, got.data(), sizeof got, MSG_DONTWAIT)) > 0) {
            for (std::size_t i = 0; i < static_cast<std::size_t>(n) / sizeof got[0]; ++i) {
                statistics_.misled += got[i] == of ? 0 : 1;
            }
        }
    }

    void judge(ssize_t n, bool right) {
        if (n == sizeof(identity)) {
            ++(right ? statistics_.came : statistics_.misled);
        } else if (n < 0 && (errno == EBADF || errno == EPIPE || errno == ECONNRESET)) {
            ++statistics_.closed;
        } else if (n == 0) {
            ++statistics_.came; // the end of the old one
        } else {
            ++statistics_.surprised;
        }
    }

    void pull(int fd, identity mine) {
        identity got = 0;
        const ssize_t n = calls_.read(fd, &got, sizeof got);
        judge(n, got == mine);
    }

    void push(int fd, identity mine) { judge(calls_.write(fd, &mine, sizeof mine), true); }

    const calls& calls_;
    statistics& statistics_;
    identity next_;
    identity mine_ = 0;
    int fd_ = -1;
    int peer_ = -1;
    bool writes_ = false;
    unsigned guests_ = 0;
    std::array<visit, 2> visits_{};
};

/// Until `rounds` are done; a number of slots, each in its own phase.
inline void act(const calls& c, statistics& s, long rounds, unsigned seed, const hub& one,
                const hub& other) {
    constexpr unsigned slots = 16;
    std::mt19937 random(seed);
    std::vector<std::unique_ptr<slot>> all;
    for (unsigned i = 0; i < slots; ++i) {
        all.push_back(std::make_unique<slot>(c, s, seed * slots + i));
    }
    enum class phase { idle, waiting, replaced };
    std::array<phase, slots> at{};
    for (bool busy = true; busy;) {
        bool moved = false;
        busy = s.rounds < rounds;
        for (unsigned i = 0; i < slots; ++i) {
            const phase before = at[i];
            if (at[i] == phase::idle && s.rounds < rounds) {
                all[i]->begin(one, other, static_cast<unsigned>(random()));
                at[i] = phase::waiting;
            } else if (at[i] == phase::waiting && all[i]->parked()) {
                all[i]->replace(static_cast<unsigned>(random()));
                at[i] = phase::replaced;
            } else if (at[i] == phase::replaced && all[i]->done()) {
                all[i]->end();
                at[i] = phase::idle;
            }
            moved = moved || at[i] != before;
            busy = busy || at[i] != phase::idle;
        }
        if (!moved) {
            std::this_thread::yield();
        }
    }
}

/// A thread whose hub serves until it is told to end.
class served_hub {
public:
    served_hub() {
        thread_ = std::thread([this] {
            own_ = std::make_unique<hub>(hub::current());
            ready_ = true;
            while (!stop_) {
                this_fiber::sleep_for(std::chrono::milliseconds(1));
            }
            hub::current().drain();
        });
        while (!ready_) {
            std::this_thread::yield();
        }
    }
    ~served_hub() {
        stop_ = true;
        thread_.join();
    }
    served_hub(const served_hub&) = delete;
    served_hub& operator=(const served_hub&) = delete;

    const hub& get() const { return *own_; }

private:
    std::atomic<bool> ready_{false};
    std::atomic<bool> stop_{false};
    std::unique_ptr<hub> own_;
    std::thread thread_;
};

inline void run(const calls& c, long rounds) {
    statistics s;
    {
        const served_hub one;
        const served_hub other;
        std::thread actor([&] { act(c, s, rounds, 1, one.get(), other.get()); });
        act(c, s, rounds, 2, other.get(), one.get());
        actor.join();
    }
    EXPECT_GE(s.rounds, rounds);
    EXPECT_EQ(s.misled, 0);
    EXPECT_EQ(s.surprised, 0);
    // Both ways to end happen, or nothing raced.
    EXPECT_GT(s.closed, 0);
    EXPECT_GT(s.came, 0);
    std::printf("%ld rounds: %ld closed, %ld came\n", s.rounds.load(), s.closed.load(),
                s.came.load());
}

/// Sanitizers are slow.
inline constexpr long full_rounds =
#if defined(TENDRIL_ASAN) || defined(TENDRIL_TSAN)
    20'000;
#else
    1'000'000;
#endif

} // namespace tendril::test::reuse
