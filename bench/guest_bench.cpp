// SPDX-License-Identifier: BSL-1.0
// Nanoseconds per yield among 2 or 1,000 Boost.Fiber fibers, by Boost's round_robin and on a hub.

#include "bench/support/measure.hpp"
#include "bench/support/work.hpp"

#include <tendril/boost_fiber.hpp>

#include <boost/fiber/all.hpp>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace bf = boost::fibers;

constexpr long yields_per_part = 100'000;

void yields(int fibers) {
    bf::pooled_fixedsize_stack stacks(64 * 1024);
    bench::yield_work work(fibers, yields_per_part);
    std::vector<bf::fiber> handles;
    for (int i = 0; i < fibers; ++i) {
        handles.emplace_back(bf::launch::post, std::allocator_arg, stacks,
                             [&work] { work.body([] { boost::this_fiber::yield(); }); });
    }
    for (bf::fiber& f : handles) {
        f.join();
    }
    work.report();
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc > 2 ? argv[1] : "";
    const int fibers = argc > 2 ? std::atoi(argv[2]) : 0;
    if (fibers < 2 || (impl != "floor" && impl != "tendril")) {
        bench::usage(argv[0], "floor|tendril FIBERS");
    }
    if (impl == "tendril") {
        bf::use_scheduling_algorithm<tendril::boost_fiber::hub_algorithm>();
    }
    yields(fibers);
}
