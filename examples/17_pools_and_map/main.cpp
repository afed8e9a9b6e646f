// SPDX-License-Identifier: BSL-1.0
//
// A pool: many jobs, of which only so many run at a time, because somebody else's server has only
// so much patience. map() gives the results in the order of the items, map_unordered() as they
// come. Who spawns into a full pool waits, so a list of jobs may be as long as it likes. The first
// failure of a map ends it, and the pool is as good as before. Try: a pool of 1, a pool of 6.
// Run: build/dev/bin/17_pools_and_map

#include <tendril/tendril.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using tendril::this_fiber::sleep_for;

struct server {
    int now = 0, most = 0; // requests at once

    std::string ask(int ms) {
        most = std::max(most, ++now);
        sleep_for(std::chrono::milliseconds(ms));
        --now;
        if (ms == 13) {
            throw std::runtime_error("13 is out of order");
        }
        return std::to_string(ms) + " ms";
    }
};

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 17_pools_and_map\n");
        return 2;
    }
    server s;
    tendril::fiber_pool pool(3);
    const std::vector<int> requests = {150, 30, 90, 180, 60};
    const auto ask = [&](int ms) { return s.ask(ms); };

    std::printf("map, in order:\n");
    for (const std::string& answer : pool.map(requests, ask)) {
        std::printf("  %s\n", answer.c_str());
    }
    std::printf("map_unordered, as they come:\n");
    for (const std::string& answer : pool.map_unordered(requests, ask)) {
        std::printf("  %s\n", answer.c_str());
    }
    std::printf("at most %d requests at once\n", s.most);

    try {
        pool.map(std::vector<int>{20, 13, 60'000, 60'000}, ask);
    } catch (const std::runtime_error& e) {
        std::printf("a map failed: %s; %zu jobs are left\n", e.what(), pool.running());
    }

    s.now = s.most = 0;
    std::vector<int> many(10'000);
    std::iota(many.begin(), many.end(), 0);
    long sum = 0;
    pool.map(many, [&](int i) {
        s.most = std::max(s.most, ++s.now);
        tendril::this_fiber::yield();
        sum += i;
        --s.now;
    });
    std::printf("10000 jobs through the same pool: sum %ld, at most %d at once\n", sum, s.most);
}
