// SPDX-License-Identifier: BSL-1.0
#pragma once

// The work of `switch` and `spawn`, the same for whatever runs it. Both keep one CPU busy, so CPU
// time is what counts: it leaves out when others had the CPU, which wall time counts for whoever
// needs more than one slice of it.

#include "bench/support/measure.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// `fibers` fibers do nothing but yield, in turns. Each calls body();
/// afterwards the leader, who saw all the others once per lap of its own, has
/// the nanoseconds per yield.
class yield_work {
public:
    yield_work(int fibers, long yields_per_part)
        : fibers_(fibers)
        , laps_(yields_per_part / fibers) {}

    template <typename Yield>
    void body(Yield yield) {
        const bool leads = started_++ == 0;
        while (started_ < fibers_) {
            yield();
        }
        laps(yield, laps_ / 4 + 1); // warm-up
        for (int part = 0; part < parts; ++part) {
            const std::int64_t begin = leads ? cpu_ns() : 0;
            laps(yield, laps_);
            if (leads) {
                times_.push_back(cpu_ns() - begin);
            }
        }
        // The others stay until the leader has seen the end, so that its last lap
        // is like the rest.
        ++ended_;
        while (ended_ < fibers_) {
            yield();
        }
    }

    void report() const {
        const auto yields = static_cast<double>(laps_ * fibers_);
        bench::report("time", static_cast<double>(median(times_)) / yields, "ns");
    }

private:
    static constexpr int parts = 7;

    template <typename Yield>
    static void laps(Yield yield, long count) {
        for (long i = 0; i < count; ++i) {
            yield();
        }
    }

    int fibers_;
    long laps_;
    int started_ = 0;
    int ended_ = 0;
    std::vector<std::int64_t> times_;
};

/// Calls round(), which spawns and joins `fibers` fibers, again and again and
/// reports nanoseconds per fiber.
template <typename Round>
void spawn_work(int fibers, int rounds_per_part, Round round, int parts = 7) {
    std::vector<std::int64_t> times;
    for (int part = -1; part < parts; ++part) {
        const std::int64_t begin = cpu_ns();
        for (int i = 0; i < rounds_per_part; ++i) {
            round();
        }
        if (part >= 0) { // the first warms up
            times.push_back(cpu_ns() - begin);
        }
    }
    const double count = static_cast<double>(rounds_per_part) * fibers;
    report("time", static_cast<double>(median(times)) / count, "ns");
}

inline constexpr int spawn_batch = 10'000;

/// Calls part(), which does something `count` times, again and again and reports nanoseconds for
/// each.
template <typename Part>
void repeat_work(long count, Part part) {
    constexpr int parts = 7;
    std::vector<std::int64_t> times;
    for (int i = -1; i < parts; ++i) {
        const std::int64_t begin = cpu_ns();
        part();
        if (i >= 0) { // the first warms up
            times.push_back(cpu_ns() - begin);
        }
    }
    report("time", static_cast<double>(median(times)) / static_cast<double>(count), "ns");
}

inline constexpr long values_per_part = 400'000; // that go through the channel of `sync`
inline constexpr std::size_t channel_buffer = 128;

} // namespace bench
