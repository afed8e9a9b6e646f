// SPDX-License-Identifier: BSL-1.0
// Bytes of memory per parked fiber with the default stack size, page tables included.

#include "bench/support/measure.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <string>

#include <unistd.h>

namespace {

std::size_t used() {
    return bench::memory("VmRSS") + bench::memory("VmPTE");
}

} // namespace

int main(int argc, char** argv) {
    const long count = argc == 3 ? std::atol(argv[2]) : 0;
    if (count < 1 || std::string(argv[1]) != "tendril") {
        bench::usage(argv[0], "tendril FIBERS");
    }
    long parked = 0;
    tendril::spawn([] {}).join(); // what a hub needs by itself is there before the count begins
    const std::size_t before = used();
    for (long i = 0; i < count; ++i) {
        tendril::spawn([&parked] {
            ++parked;
            tendril::this_fiber::sleep_for(std::chrono::hours(1));
        }).detach();
    }
    while (parked < count) {
        tendril::this_fiber::yield();
    }
    tendril::this_fiber::yield(); // the last one reaches its sleep
    const std::size_t after = used();
    const tendril::hub_statistics statistics = tendril::hub::current().statistics();
    if (statistics.live < static_cast<std::size_t>(count)) {
        std::fprintf(stderr, "only %zu fibers are parked\n", statistics.live);
        return 1;
    }
    bench::report("each", static_cast<double>(after - before) / static_cast<double>(count), "B");
    bench::report("unguarded", static_cast<double>(statistics.stacks_unguarded), "stacks");
    std::fflush(stdout);
    ::_exit(0); // a million parked fibers need not be unwound
}
