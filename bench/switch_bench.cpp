// SPDX-License-Identifier: BSL-1.0
// Nanoseconds per yield among 2 or 1,000 fibers.

#include "bench/support/bare_queue.hpp"
#include "bench/support/measure.hpp"
#include "bench/support/work.hpp"

#include <tendril/fiber.hpp>

#include <string>
#include <vector>

namespace {

constexpr long yields_per_part = 400'000;

void floor_queue(int fibers) {
    using bench::bare_queue;
    bench::yield_work work(fibers, yields_per_part);
    std::vector<bare_queue::fiber*> handles;
    for (int i = 0; i < fibers; ++i) {
        handles.push_back(bare_queue::spawn([&work] { work.body([] { bare_queue::yield(); }); }));
    }
    for (bare_queue::fiber* f : handles) {
        bare_queue::join(f);
    }
    work.report();
}

void tendril_hub(int fibers) {
    bench::yield_work work(fibers, yields_per_part);
    std::vector<tendril::fiber<void>> handles;
    for (int i = 0; i < fibers; ++i) {
        handles.push_back(
            tendril::spawn([&work] { work.body([] { tendril::this_fiber::yield(); }); }));
    }
    for (auto& f : handles) {
        f.join();
    }
    work.report();
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc > 2 ? argv[1] : "";
    const int fibers = argc > 2 ? std::atoi(argv[2]) : 0;
    if (fibers < 2) {
        bench::usage(argv[0], "floor|tendril FIBERS");
    }
    if (impl == "floor") {
        floor_queue(fibers);
    } else if (impl == "tendril") {
        tendril_hub(fibers);
    } else {
        bench::usage(argv[0], "floor|tendril FIBERS");
    }
}
