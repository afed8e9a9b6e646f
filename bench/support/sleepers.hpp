// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "bench/support/measure.hpp"

#include <vector>

namespace bench {

/// How long each sleeper sleeps: run.py writes the same seeded sequence for all implementations.
inline std::vector<std::int64_t> read_sleeps(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (file == nullptr) {
        fail(path);
    }
    std::vector<std::int64_t> sleeps;
    std::int64_t ns = 0;
    while (std::fread(&ns, sizeof ns, 1, file) == 1) {
        sleeps.push_back(ns);
    }
    std::fclose(file);
    return sleeps;
}

/// Measures from its construction to report().
class sleepers_result {
public:
    explicit sleepers_result(const std::vector<std::int64_t>& sleeps)
        : longest_(*std::max_element(sleeps.begin(), sleeps.end())) {
        reset_peak_memory();
        memory_ = memory("VmRSS");
        cpu_ = cpu_ns();
        wall_ = now_ns();
    }

    void report() const {
        const std::int64_t wall = now_ns() - wall_;
        const std::int64_t cpu = cpu_ns() - cpu_;
        const std::size_t peak = memory("VmHWM");
        if (wall < longest_) {
            std::fprintf(stderr, "a sleeper woke too early\n");
            std::exit(1);
        }
        bench::report("wall", static_cast<double>(wall) / 1e6, "ms");
        bench::report("cpu", static_cast<double>(cpu) / 1e6, "ms");
        bench::report("rss", static_cast<double>(peak - memory_) / 1e6, "MB");
    }

private:
    std::int64_t longest_;
    std::size_t memory_ = 0;
    std::int64_t cpu_ = 0;
    std::int64_t wall_ = 0;
};

} // namespace bench
