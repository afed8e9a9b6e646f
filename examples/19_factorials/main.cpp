// SPDX-License-Identifier: BSL-1.0
//
// Factorials in a thread pool: a computation on the hub's thread would hold up all its fibers, so
// fibers hand it to threads and wait; what it throws comes back as what it returns does. Meanwhile
// another fiber goes on here. A limiter allows one call at a time of something that bears no more;
// a time limit is up at once, also if the thread still computes. Try: 20000, and compute() called
// without the pool: no tick. Run: build/dev/bin/19_factorials [LARGEST]

#include <tendril/tendril.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

/// n! in decimal, by school arithmetic: nine digits in each part, the lowest first.
std::string compute(long n) {
    if (n < 0) {
        throw std::domain_error("there is no " + std::to_string(n) + "!");
    }
    constexpr unsigned long long base = 1'000'000'000;
    std::vector<unsigned long long> parts{1};
    for (long factor = 2; factor <= n; ++factor) {
        unsigned long long carry = 0;
        for (auto& part : parts) {
            carry += part * static_cast<unsigned long long>(factor);
            part = carry % base;
            carry /= base;
        }
        if (carry != 0) {
            parts.push_back(carry);
        }
    }
    std::string digits = std::to_string(parts.back());
    for (auto part = parts.rbegin() + 1; part != parts.rend(); ++part) {
        const std::string nine = std::to_string(*part);
        digits += std::string(9 - nine.size(), '0') + nine;
    }
    return digits;
}

/// Fibers that wait for threads; and one that goes on beside them.
void at_once(tendril::thread_pool& pool, long largest) {
    long ticks = 0;
    auto ticker = tendril::spawn([&ticks] {
        for (;;) {
            tendril::this_fiber::sleep_for(100us);
            ++ticks;
        }
    });
    std::vector<tendril::fiber<std::string>> fibers;
    for (const long n : {largest, largest / 2, 20L}) {
        fibers.push_back(tendril::spawn([&pool, n] { return pool.run(compute, n); }));
    }
    for (auto& each : fibers) {
        const std::string digits = each.get();
        std::printf("%zu digits: %.20s%s\n", digits.size(), digits.c_str(),
                    digits.size() > 20 ? "..." : "");
    }
    ticker.cancel();
    ticker.join();
    std::printf("meanwhile a fiber ticked %ld times here\n", ticks);
}

/// Submitted now, collected later; a function that bears one call at a time.
void one_at_a_time(tendril::thread_pool& pool) {
    const tendril::limiter one(1);
    std::atomic<int> inside{0};
    std::vector<tendril::future<bool>> alone;
    for (int i = 0; i < 5; ++i) {
        alone.push_back(pool.submit(one, [&inside] {
            const bool first = ++inside == 1;
            compute(500);
            --inside;
            return first;
        }));
    }
    int count = 0;
    for (auto& each : alone) {
        count += each.get() ? 1 : 0;
    }
    std::printf("%d of 5 calls were alone\n", count);
}

void trouble(tendril::thread_pool& pool) {
    try {
        pool.run(compute, -1);
    } catch (const std::domain_error& e) {
        std::printf("thrown there, caught here: %s\n", e.what());
    }
    static std::atomic<bool> may_end{false}; // static: the call outlives who waited for it
    const bool in_time = tendril::move_on_after(1ms, [&pool] {
        pool.run([] {
            while (!may_end) {
                std::this_thread::sleep_for(1ms);
            };
        });
    });
    std::printf("%s\n",
                in_time ? "done in time" : "too late: the thread works on, and nobody waits");
    may_end = true;
}

int main(int argc, char** argv) {
    char* end = nullptr;
    const long largest = argc > 1 ? std::strtol(argv[1], &end, 10) : 3000;
    if (argc > 2 || (end != nullptr && (end == argv[1] || *end != '\0')) || largest < 1 ||
        largest > 100'000) {
        std::fprintf(stderr, "usage: 19_factorials [LARGEST, from 1 to 100000]\n");
        return 2;
    }
    tendril::thread_pool pool(2);
    at_once(pool, largest);
    one_at_a_time(pool);
    trouble(pool);
    pool.shutdown(); // waits for what still runs
    std::printf("the threads have ended\n");
}
