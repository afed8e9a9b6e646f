// SPDX-License-Identifier: BSL-1.0
// Nanoseconds per uncontended lock and unlock, and per value handed over a channel.

#include "bench/support/measure.hpp"
#include "bench/support/work.hpp"

#include <tendril/channel.hpp>
#include <tendril/event.hpp>
#include <tendril/fiber.hpp>
#include <tendril/mutex.hpp>

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
    } else if (which == "buffered" && impl == "tendril") {
        channel(bench::channel_buffer);
    } else {
        bench::usage(argv[0], "floor|tendril mutex|mutex-threads|rendezvous|buffered");
    }
}
