// SPDX-License-Identifier: BSL-1.0
#pragma once

// What every bench program shares. A program is called as `program IMPL CASE
// [ARGUMENT…]`, does the work once and prints lines `METRIC VALUE UNIT`; run.py
// repeats, interleaves and compares.

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <time.h>

namespace bench {

// Integers, not double: floating point sets the sticky flags of MXCSR, and a
// context switch between a fiber that has them set and one that has not loads a
// different MXCSR, which costs some 65 ns.
inline std::int64_t clock_ns(clockid_t clock) noexcept {
    timespec t{};
    clock_gettime(clock, &t);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

inline std::int64_t now_ns() noexcept {
    return clock_ns(CLOCK_MONOTONIC);
}
inline std::int64_t cpu_ns() noexcept {
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

inline void report(const char* metric, double value, const char* unit) {
    std::printf("%s %.6g %s\n", metric, value, unit);
    std::fflush(stdout);
}

[[noreturn]] inline void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

[[noreturn]] inline void usage(const char* program, const char* arguments) {
    std::fprintf(stderr, "usage: %s %s\n", program, arguments);
    std::exit(2);
}

template <typename T>
T median(std::vector<T> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// A line of /proc/self/status, or of another process's, in bytes, as "VmRSS".
inline std::size_t memory(std::string_view key, int process = 0) {
    char name[32] = "/proc/self/status";
    if (process != 0) {
        std::snprintf(name, sizeof name, "/proc/%d/status", process);
    }
    std::FILE* file = std::fopen(name, "r");
    if (file == nullptr) {
        fail(name);
    }
    char line[256];
    std::size_t kib = 0;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::string_view(line).substr(0, key.size()) == key && line[key.size()] == ':') {
            kib = std::strtoull(line + key.size() + 1, nullptr, 10);
        }
    }
    std::fclose(file);
    return kib * 1024;
}

/// Makes VmHWM start again from what is resident now, proc(5).
inline void reset_peak_memory() {
    std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
    if (file == nullptr || std::fputs("5", file) < 0 || std::fclose(file) != 0) {
        fail("/proc/self/clear_refs");
    }
}

inline void raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace bench
