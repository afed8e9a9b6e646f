// SPDX-License-Identifier: BSL-1.0
//
// 100,000 fibers sleep on one thread; then a hundredth as many threads do: how long it takes, and
// how much memory comes to each. A parked fiber holds a page of stack and its record; a thread the
// kernel's own stack and structures as well, which are not even counted here. Try: 1000000
// sleepers, and Threads: in /proc/PID/status. Run: build/dev/bin/05_sleepers_and_threads [SLEEPERS]

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

/// What this process holds in memory, in KiB.
double memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmRSS:", 0) == 0) {
            return std::atof(line.c_str() + 6);
        }
    }
    return 0;
}

/// Starts `count` of them with `start`, which gets the semaphore to release before going to sleep.
template <typename Start>
void measure(const char* what, std::size_t count, Start start) {
    const auto begin = clock_type::now();
    const double before = memory();
    tendril::counting_semaphore<> going_to_sleep(0);
    std::vector<decltype(start(going_to_sleep))> sleepers;
    try {
        while (sleepers.size() < count) {
            sleepers.push_back(start(going_to_sleep));
        }
    } catch (const std::system_error& e) {
        std::printf("no more than %zu %s: %s\n", sleepers.size(), what, e.what());
    }
    for (std::size_t i = 0; i < sleepers.size(); ++i) {
        going_to_sleep.acquire();
    }
    const double each_kib = (memory() - before) / static_cast<double>(sleepers.size());
    for (auto& each : sleepers) {
        each.join();
    }
    const std::chrono::duration<double> taken = clock_type::now() - begin;
    std::printf("%zu %s slept 1 s each, in %.2f s altogether, with %.1f KiB for each\n",
                sleepers.size(), what, taken.count(), each_kib);
}

int main(int argc, char** argv) {
    char* end = nullptr;
    const long count = argc > 1 ? std::strtol(argv[1], &end, 10) : 100'000;
    if (argc > 2 || (end != nullptr && *end != '\0') || count < 100 || count > 10'000'000) {
        std::fprintf(stderr, "usage: 05_sleepers_and_threads [SLEEPERS, from 100 to 10000000]\n");
        return 2;
    }
    const auto sleepers = static_cast<std::size_t>(count);
    measure("fibers", sleepers, [](auto& going_to_sleep) {
        return tendril::spawn([&] {
            going_to_sleep.release();
            tendril::this_fiber::sleep_for(1s);
        });
    });
    measure("threads", sleepers / 100, [](auto& going_to_sleep) {
        return std::thread([&] {
            going_to_sleep.release();
            std::this_thread::sleep_for(1s);
        });
    });
}
