// SPDX-License-Identifier: BSL-1.0
//
// The same three errands, one after the other and at once: what waits in a fiber holds up that
// fiber alone. The thread sleeps only when all of them wait, so the second time they take as long
// as the slowest. Try: sleep by ::sleep(1) instead; without the shim that blocks the thread, and
// nothing is gained. Run: build/dev/bin/02_sequential_and_concurrent

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <vector>

using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

int errand(const char* what, std::chrono::milliseconds takes) {
    std::printf("  %s: begun\n", what);
    tendril::this_fiber::sleep_for(takes); // stands for a server that takes its time
    std::printf("  %s: done\n", what);
    return static_cast<int>(takes.count());
}

double seconds_since(clock_type::time_point start) {
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 02_sequential_and_concurrent\n");
        return 2;
    }
    std::printf("one after the other:\n");
    auto start = clock_type::now();
    int sum = errand("slow", 300ms) + errand("quick", 100ms) + errand("medium", 200ms);
    std::printf("%d ms of errands in %.2f s\n", sum, seconds_since(start));

    std::printf("at once:\n");
    start = clock_type::now();
    std::vector<tendril::fiber<int>> errands;
    errands.push_back(tendril::spawn(errand, "slow", 300ms));
    errands.push_back(tendril::spawn(errand, "quick", 100ms));
    errands.push_back(tendril::spawn(errand, "medium", 200ms));
    sum = 0;
    for (auto& each : errands) {
        sum += each.get();
    }
    std::printf("%d ms of errands in %.2f s\n", sum, seconds_since(start));
}
