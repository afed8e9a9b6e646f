// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the programs here share. Each calls a client library as its manual shows it, blocking, from
// fibers of one thread; each scenario prints what it did, for clients_test.py to read.

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace client {

inline void require(bool condition, const std::string& what) {
    if (!condition) {
        throw std::runtime_error(what);
    }
}

/// What a library says of its failure is asked for after the call that `condition` stands for.
template <typename Function, typename Handle>
void require(bool condition, Function message, Handle handle) {
    if (!condition) {
        throw std::runtime_error(message(handle));
    }
}

/// How many fibers are inside a call, now and at most.
class in_progress {
public:
    template <typename Function>
    auto operator()(Function function) {
        struct leave {
            int& now;
            ~leave() { --now; }
        };
        ++now_;
        most_ = now_ > most_ ? now_ : most_;
        leave on_return{now_};
        return function();
    }
    int now() const noexcept { return now_; }
    int most() const noexcept { return most_; }

private:
    int now_ = 0;
    int most_ = 0;
};

/// function(0) … function(count - 1), a fiber each; returns when all have ended, throws the first
/// error.
template <typename Function>
void in_fibers(int count, Function function) {
    std::vector<tendril::fiber<void>> fibers;
    for (int i = 0; i < count; ++i) {
        fibers.push_back(tendril::spawn([=, &function] { function(i); }));
    }
    for (auto& each : fibers) {
        each.join();
    }
    for (auto& each : fibers) {
        each.get();
    }
}

inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A row of bytes that is the same each time and repeats itself nowhere near.
inline void fill(char* to, std::size_t size, unsigned& seed) {
    for (std::size_t i = 0; i < size; ++i) {
        seed = seed * 1664525u + 1013904223u;
        to[i] = static_cast<char>('a' + (seed >> 24) % 26);
    }
}

using scenarios = std::map<std::string, void (*)()>;

/// main(): the server's address, a scenario, and what that takes.
inline const char* address;
inline int argument_count;
inline char** arguments;

inline int run(int argc, char** argv, const scenarios& all) {
    // Hundreds of connections.
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    ::setrlimit(RLIMIT_NOFILE, &files);
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (argc < 3 || all.count(argv[2]) == 0) {
        std::fprintf(stderr, "usage: %s ADDRESS SCENARIO [ARGUMENT]...\n", argv[0]);
        return 2;
    }
    address = argv[1];
    argument_count = argc - 3;
    arguments = argv + 3;
    try {
        tendril::spawn(all.at(argv[2])).get();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", argv[2], e.what());
        return 1;
    }
    return 0;
}

} // namespace client
