// SPDX-License-Identifier: BSL-1.0
// Nanoseconds per uncontended lock and unlock, per value handed over a channel, and per handoff
// from one thread to another and back.

#include "bench/support/measure.hpp"
#include "bench/support/work.hpp"

#include <tendril/channel.hpp>
#include <tendril/condition_variable.hpp>
#include <tendril/event.hpp>
#include <tendril/fiber.hpp>
#include <tendril/mutex.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace {

constexpr long locks_per_part = 1'000'000;

template <typename Mutex>
void lock_and_unlock() {
    Mutex m;
    long inside = 0;
    bench::repeat_work(locks_per_part, [&] {
        for (long i = 0; i < locks_per_part; ++i) {
            const std::lock_guard<Mutex> lock(m);
            ++inside;
            asm volatile("" : "+r"(inside));
        }
    });
}

/// So that nobody can do without atomic operations.
class second_thread {
public:
    second_thread()
        : thread_([this] { end_.wait(); }) {}
    ~second_thread() {
        end_.set();
        thread_.join();
    }

private:
    tendril::event end_;
    std::thread thread_;
};

void channel(std::size_t capacity) {
    tendril::channel<long> values(capacity);
    auto consumer = tendril::spawn([&] {
        long sum = 0;
        while (const auto value = values.receive()) {
            sum += *value;
        }
        return sum;
    });
    bench::repeat_work(bench::values_per_part, [&] {
        for (long i = 0; i < bench::values_per_part; ++i) {
            values.send(i);
        }
    });
    values.close();
    consumer.get();
}

/// Two that wait for each other in turns, and what passes between them: `to(other)` hands over,
/// `await(self)` waits for it. Wall time, for both sleep; a quarter of it warms up.
template <typename Side>
void ping_pong() {
    Side side;
    constexpr long rounds = 20'000;
    const auto laps = [&side](int self, long count) {
        for (long i = 0; i < count; ++i) {
            if (self == 0) {
                side.pass_to(1);
                side.await(0);
            } else {
                side.await(1);
                side.pass_to(0);
            }
        }
    };
    std::thread other([&] { laps(1, rounds * 5 / 4); });
    laps(0, rounds / 4);
    const std::int64_t begin = bench::now_ns();
    laps(0, rounds);
    const std::int64_t taken = bench::now_ns() - begin;
    other.join();
    bench::report("time", static_cast<double>(taken) / (2 * rounds), "ns");
}

template <typename Mutex, typename Condition>
class turns {
public:
    void pass_to(int whom) {
        const std::lock_guard<Mutex> lock(mutex_);
        turn_ = whom;
        changed_.notify_one();
    }
    void await(int self) {
        std::unique_lock<Mutex> lock(mutex_);
        changed_.wait(lock, [&] { return turn_ == self; });
    }

private:
    Mutex mutex_;
    Condition changed_;
    int turn_ = -1;
};

class two_channels {
public:
    void pass_to(int whom) { channels_[whom].send(whom); }
    void await(int self) { channels_[self].receive(); }

private:
    tendril::channel<int> channels_[2] = {tendril::channel<int>(1), tendril::channel<int>(1)};
};

/// What a handoff is measured in: a yield of one fiber to the other.
void switches() {
    bool end = false;
    auto other = tendril::spawn([&] {
        while (!end) {
            tendril::this_fiber::yield();
        }
    });
    bench::repeat_work(bench::values_per_part, [] {
        for (long i = 0; i < bench::values_per_part; i += 2) {
            tendril::this_fiber::yield();
        }
    });
    end = true;
    other.join();
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc == 3 ? argv[1] : "";
    const std::string which = argc == 3 ? argv[2] : "";
    if (which == "mutex" && impl == "floor") {
        lock_and_unlock<std::mutex>();
    } else if (which == "mutex" && impl == "tendril") {
        lock_and_unlock<tendril::mutex>();
    } else if (which == "mutex-threads") {
        const second_thread other;
        impl == "floor" ? lock_and_unlock<std::mutex>() : lock_and_unlock<tendril::mutex>();
    } else if (which == "rendezvous" && impl == "floor") {
        switches();
    } else if (which == "rendezvous" && impl == "tendril") {
        channel(0);
    } else if (which == "cross-hub" && impl == "floor") {
        ping_pong<turns<std::mutex, std::condition_variable>>();
    } else if (which == "cross-hub" && impl == "tendril") {
        ping_pong<two_channels>();
    } else if (which == "cross-hub" && impl == "tendril-condition") {
        ping_pong<turns<tendril::mutex, tendril::condition_variable>>();
    } else if (which == "buffered" && impl == "tendril") {
        channel(bench::channel_buffer);
    } else {
        bench::usage(argv[0], "floor|tendril mutex|mutex-threads|rendezvous|buffered|cross-hub");
    }
}
