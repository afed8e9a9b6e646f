// SPDX-License-Identifier: BSL-1.0
// Many fibers sleep at once, for the nanoseconds that a file names. Run once per process, because
// the peak of resident memory is one of the results.

#include "bench/support/measure.hpp"
#include "bench/support/sleepers.hpp"

#include <tendril/fiber.hpp>

#include <chrono>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    if (argc != 3 || std::string(argv[1]) != "tendril") {
        bench::usage(argv[0], "tendril FILE-OF-NANOSECONDS");
    }
    const std::vector<std::int64_t> sleeps = bench::read_sleeps(argv[2]);
    const bench::sleepers_result begin(sleeps);
    {
        std::vector<tendril::fiber<void>> fibers;
        fibers.reserve(sleeps.size());
        for (const std::int64_t ns : sleeps) {
            fibers.push_back(tendril::spawn(
                [ns] { tendril::this_fiber::sleep_for(std::chrono::nanoseconds(ns)); }));
        }
        for (auto& f : fibers) {
            f.join();
        }
    }
    begin.report();
}
