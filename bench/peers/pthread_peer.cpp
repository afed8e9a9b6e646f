// SPDX-License-Identifier: BSL-1.0
// POSIX threads beside us: the same work with a thread of the kernel's in place of each fiber. No
// sleepers: 100,000 threads are more than the kernel's limits let a process have.

#include "bench/support/echo.hpp"
#include "bench/support/measure.hpp"
#include "bench/support/work.hpp"

#include <atomic>
#include <cerrno>
#include <string>
#include <vector>

#include <pthread.h>
#include <sched.h>

namespace {

class small_threads {
public:
    small_threads() {
        ::pthread_attr_init(&attributes_);
        ::pthread_attr_setstacksize(&attributes_, 64 * 1024);
    }

    pthread_t start(void* (*function)(void*), void* argument) const {
        pthread_t thread{};
        errno = ::pthread_create(&thread, &attributes_, function, argument);
        if (errno != 0) {
            bench::fail("pthread_create");
        }
        return thread;
    }

private:
    pthread_attr_t attributes_{};
};

/// The kernel does not take turns as strictly as a run queue, so the yields of all are timed as
/// one.
struct yielding {
    long laps = 0;
    pthread_barrier_t all{}; // the last one to arrive starts the clock
    std::int64_t began = 0;
};

void* yield_body(void* argument) {
    auto& work = *static_cast<yielding*>(argument);
    if (::pthread_barrier_wait(&work.all) == PTHREAD_BARRIER_SERIAL_THREAD) {
        work.began = bench::cpu_ns();
    }
    ::pthread_barrier_wait(&work.all);
    for (long i = 0; i < work.laps; ++i) {
        ::sched_yield();
    }
    return nullptr;
}

void switches(int count) {
    const small_threads threads;
    yielding work;
    work.laps = 100'000 / count;
    ::pthread_barrier_init(&work.all, nullptr, static_cast<unsigned>(count));
    std::vector<pthread_t> handles;
    for (int i = 0; i < count; ++i) {
        handles.push_back(threads.start(yield_body, &work));
    }
    for (pthread_t thread : handles) {
        ::pthread_join(thread, nullptr);
    }
    const auto time = static_cast<double>(bench::cpu_ns() - work.began);
    bench::report("time", time / static_cast<double>(work.laps * count), "ns");
}

void spawns(int count, int rounds) {
    const small_threads threads;
    std::vector<pthread_t> handles(static_cast<std::size_t>(count));
    std::atomic<long> done{0};
    const auto body = [](void* counter) -> void* {
        static_cast<std::atomic<long>*>(counter)->fetch_add(1, std::memory_order_relaxed);
        return nullptr;
    };
    const auto round = [&] {
        for (auto& thread : handles) {
            thread = threads.start(body, &done);
        }
        for (pthread_t thread : handles) {
            ::pthread_join(thread, nullptr);
        }
    };
    bench::spawn_work(count, rounds, round, 3); // a third of a second each
}

void* serve(void* connection) {
    const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(connection));
    char buffer[bench::echo_buffer];
    ssize_t n = 0;
    while ((n = ::read(fd, buffer, sizeof buffer)) > 0) {
        if (::write(fd, buffer, static_cast<std::size_t>(n)) != n) {
            break;
        }
    }
    ::close(fd);
    return nullptr;
}

[[noreturn]] void echo() {
    const int listener = bench::echo_listener(0);
    const small_threads threads;
    while (true) {
        const std::intptr_t fd = ::accept(listener, nullptr, nullptr);
        if (fd < 0) {
            bench::fail("accept");
        }
        ::pthread_detach(threads.start(serve, reinterpret_cast<void*>(fd)));
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string bench = argc == 3 ? argv[1] : "";
    const std::string which = argc == 3 ? argv[2] : "";
    if (bench == "switch") {
        switches(std::atoi(argv[2]));
    } else if (bench == "spawn") {
        spawns(which == "one" ? 1 : bench::spawn_batch, which == "one" ? 2'000 : 1);
    } else if (bench == "echo") {
        echo();
    } else {
        bench::usage(argv[0], "switch|spawn|echo CASE");
    }
}
