// SPDX-License-Identifier: BSL-1.0
// Nanoseconds to spawn a fiber that does next to nothing and to join it: one by
// one, and 10,000 at once.

#include "bench/support/bare_queue.hpp"
#include "bench/support/measure.hpp"
#include "bench/support/work.hpp"

#include <tendril/fiber.hpp>

#include <string>
#include <vector>

namespace {

constexpr int rounds_of_one = 100'000;
constexpr int rounds_of_batch = 10;

long done = 0; // what the fibers do, so that nothing is optimised away

void floor_queue(int fibers, int rounds) {
    using bench::bare_queue;
    std::vector<bare_queue::fiber*> handles(static_cast<std::size_t>(fibers));
    bench::spawn_work(fibers, rounds, [&] {
        for (auto& f : handles) {
            f = bare_queue::spawn([] { ++done; });
        }
        for (auto* f : handles) {
            bare_queue::join(f);
        }
    });
}

void tendril_hub(int fibers, int rounds) {
    std::vector<tendril::fiber<void>> handles(static_cast<std::size_t>(fibers));
    bench::spawn_work(fibers, rounds, [&] {
        for (auto& f : handles) {
            f = tendril::spawn([] { ++done; });
        }
        for (auto& f : handles) {
            f.join();
        }
    });
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc > 2 ? argv[1] : "";
    const std::string which = argc > 2 ? argv[2] : "";
    if ((impl != "floor" && impl != "tendril") || (which != "one" && which != "batch")) {
        bench::usage(argv[0], "floor|tendril one|batch");
    }
    const int fibers = which == "one" ? 1 : bench::spawn_batch;
    const int rounds = which == "one" ? rounds_of_one : rounds_of_batch;
    (impl == "floor" ? floor_queue : tendril_hub)(fibers, rounds);
    return done > 0 ? 0 : 1;
}
