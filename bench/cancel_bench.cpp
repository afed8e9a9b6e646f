// SPDX-License-Identifier: BSL-1.0
// Nanoseconds to set a time limit and to take it back, alone and with a million pending;
// milliseconds until 100,000 parked fibers have unwound.

#include "bench/support/measure.hpp"
#include "bench/support/work.hpp"

#include <tendril/cancel.hpp>
#include <tendril/event.hpp>
#include <tendril/fiber.hpp>
#include <tendril/timeout.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

constexpr long timeouts = 1'000'000;
constexpr int parked = 100'000;

/// As a loop with timers would keep them that was written for the purpose: in a sorted tree.
class deadlines {
public:
    using handle = std::multimap<clock_type::time_point, void*>::iterator;
    handle set(std::chrono::seconds after) {
        return pending_.emplace(clock_type::now() + after, nullptr);
    }
    void cancel(handle h) { pending_.erase(h); }

private:
    std::multimap<clock_type::time_point, void*> pending_;
};

// Seconds, which differ, so that they do not all come in the order of their ends.
std::chrono::seconds length(long i) {
    return std::chrono::seconds(1 + i * 7919 % 3600);
}

void one_by_one(bool floor) {
    deadlines tree;
    bench::repeat_work(timeouts, [&] {
        for (long i = 0; i < timeouts; ++i) {
            if (floor) {
                tree.cancel(tree.set(length(i)));
            } else {
                const tendril::timeout limit(length(i));
            }
        }
    });
}

void all_pending(bool floor) {
    deadlines tree;
    bench::repeat_work(timeouts, [&] {
        if (floor) {
            std::deque<deadlines::handle> handles;
            for (long i = 0; i < timeouts; ++i) {
                handles.push_back(tree.set(length(i)));
            }
            for (; !handles.empty(); handles.pop_back()) {
                tree.cancel(handles.back());
            }
        } else {
            std::deque<tendril::timeout> limits;
            for (long i = 0; i < timeouts; ++i) {
                limits.emplace_back(length(i));
            }
            while (!limits.empty()) { // they nest
                limits.pop_back();
            }
        }
    });
}

/// The floor lets them end: they return, where cancelled ones unwind.
void end_parked(bool floor) {
    tendril::event end;
    std::vector<tendril::fiber<void>> fibers;
    fibers.reserve(parked);
    int waiting = 0;
    for (int i = 0; i < parked; ++i) {
        fibers.push_back(tendril::spawn([&] {
            ++waiting;
            end.wait();
        }));
    }
    while (waiting != parked) {
        tendril::this_fiber::yield();
    }
    const std::int64_t begin = bench::cpu_ns();
    if (floor) {
        end.set();
    } else {
        for (auto& f : fibers) {
            f.cancel();
        }
    }
    for (auto& f : fibers) {
        f.join();
    }
    bench::report("time", static_cast<double>(bench::cpu_ns() - begin) / 1e6, "ms");
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc == 3 ? argv[1] : "";
    const std::string which = argc == 3 ? argv[2] : "";
    const bool floor = impl == "floor";
    if (!floor && impl != "tendril") {
        bench::usage(argv[0], "floor|tendril timeout|pending|parked");
    } else if (which == "timeout") {
        one_by_one(floor);
    } else if (which == "pending") {
        all_pending(floor);
    } else if (which == "parked") {
        end_parked(floor);
    } else {
        bench::usage(argv[0], "floor|tendril timeout|pending|parked");
    }
}
