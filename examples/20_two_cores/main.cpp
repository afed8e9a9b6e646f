// SPDX-License-Identifier: BSL-1.0
//
// Hubs on two cores: a hub_group runs two threads with a hub each. Fibers go where fewer are, or
// where they are told to; a channel works from hub to hub as within one. In the end the group
// stops: who ends in time does, who does not is cancelled and unwinds. Try: 4 hubs, and stop(0s).
// Run: build/dev/bin/20_two_cores [HUBS]

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;

long primes_below(long limit) {
    long count = 0;
    for (long n = 2; n < limit; ++n) {
        bool prime = true;
        for (long d = 2; prime && d * d <= n; ++d) {
            prime = n % d != 0;
        }
        count += prime ? 1 : 0;
    }
    return count;
}

/// As many fibers as can be told apart: while none ends, each hub gets the same number.
void spread(tendril::hub_group& group) {
    const std::size_t count = 10 * group.size();
    tendril::event end;
    tendril::latch begun(static_cast<std::ptrdiff_t>(count));
    std::vector<tendril::fiber<void>> fibers;
    for (std::size_t i = 0; i < count; ++i) {
        fibers.push_back(group.spawn([&] {
            begun.count_down();
            end.wait();
        }));
    }
    begun.wait();
    std::printf("%zu fibers are on %zu hubs\n", count, group.size());
    end.set();
    for (auto& each : fibers) {
        each.join();
    }
}

/// One hub produces, another one computes, this thread collects.
void pipeline(tendril::hub_group& group) {
    tendril::channel<long> limits(4);
    tendril::channel<long> results(4);
    auto producer = group.spawn_on(0, [&limits] {
        for (long limit = 10; limit <= 100'000; limit *= 10) {
            limits.send(limit);
        }
        limits.close();
    });
    auto computer = group.spawn_on(group.size() - 1, [&] {
        for (const long limit : limits) {
            results.send(primes_below(limit));
        }
        results.close();
    });
    long limit = 10;
    for (const long count : results) {
        std::printf("%ld primes below %ld\n", count, limit);
        limit *= 10;
    }
    producer.join();
    computer.join();
}

/// One that ends soon, one that would not.
void stop(tendril::hub_group& group) {
    tendril::latch begun(2);
    auto quick = group.spawn([&begun] {
        begun.count_down();
        tendril::this_fiber::sleep_for(1ms);
        return "ended by itself";
    });
    auto slow = group.spawn([&begun] {
        begun.count_down();
        try {
            tendril::this_fiber::sleep_for(1h);
        } catch (const tendril::cancelled& why) {
            std::printf("the slow one unwinds: %s\n", why.reason().c_str());
            throw;
        }
    });
    begun.wait();
    const bool all_ended = group.stop(1s);
    std::printf("the quick one %s\n", quick.get());
    std::printf("%s\n", all_ended ? "all ended in time" : "not all ended in time");
    try {
        group.spawn([] {});
    } catch (const std::system_error& e) {
        std::printf("%s\n", e.what());
    }
}

int main(int argc, char** argv) {
    char* end = nullptr;
    const long hubs = argc > 1 ? std::strtol(argv[1], &end, 10) : 2;
    if (argc > 2 || (end != nullptr && (end == argv[1] || *end != '\0')) || hubs < 1 ||
        hubs > 1000) {
        std::fprintf(stderr, "usage: 20_two_cores [HUBS, from 1 to 1000]\n");
        return 2;
    }
    tendril::hub_group group(static_cast<std::size_t>(hubs));
    spread(group);
    pipeline(group);
    stop(group);
}
