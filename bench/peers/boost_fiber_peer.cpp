// SPDX-License-Identifier: BSL-1.0
// Boost.Fiber beside us: the same work with its pooled stacks, its best case, and for `echo` a
// scheduling algorithm that sleeps in epoll.

#include "bench/peers/boost_fiber_epoll.hpp"
#include "bench/support/echo.hpp"
#include "bench/support/measure.hpp"
#include "bench/support/sleepers.hpp"
#include "bench/support/work.hpp"

#include <boost/fiber/all.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace {

using boost::fibers::fiber;

template <typename Function>
fiber start(boost::fibers::pooled_fixedsize_stack& stacks, Function function) {
    return fiber(boost::fibers::launch::post, std::allocator_arg, stacks, std::move(function));
}

boost::fibers::pooled_fixedsize_stack make_stacks() {
    return boost::fibers::pooled_fixedsize_stack(64 * 1024);
}

void switches(int fibers) {
    auto stacks = make_stacks();
    bench::yield_work work(fibers, 100'000);
    std::vector<fiber> handles;
    for (int i = 0; i < fibers; ++i) {
        handles.push_back(
            start(stacks, [&work] { work.body([] { boost::this_fiber::yield(); }); }));
    }
    for (auto& f : handles) {
        f.join();
    }
    work.report();
}

void spawns(int fibers, int rounds) {
    auto stacks = make_stacks();
    std::vector<fiber> handles(static_cast<std::size_t>(fibers));
    long done = 0;
    bench::spawn_work(fibers, rounds, [&] {
        for (auto& f : handles) {
            f = start(stacks, [&done] { ++done; });
        }
        for (auto& f : handles) {
            f.join();
        }
    });
}

/// Its buffered channel wants a power of two, and keeps one place free.
template <typename Channel, typename... Capacity>
void channel(Capacity... capacity) {
    auto stacks = make_stacks();
    Channel values(capacity...);
    fiber consumer = start(stacks, [&values] {
        for (long value = 0; values.pop(value) == boost::fibers::channel_op_status::success;) {
        }
    });
    bench::repeat_work(bench::values_per_part, [&values] {
        for (long i = 0; i < bench::values_per_part; ++i) {
            values.push(i);
        }
    });
    values.close();
    consumer.join();
}

void sleepers(const char* path) {
    const auto sleeps = bench::read_sleeps(path);
    const bench::sleepers_result begin(sleeps);
    {
        auto stacks = make_stacks();
        std::vector<fiber> handles;
        handles.reserve(sleeps.size());
        for (const std::int64_t ns : sleeps) {
            handles.push_back(start(
                stacks, [ns] { boost::this_fiber::sleep_for(std::chrono::nanoseconds(ns)); }));
        }
        for (auto& f : handles) {
            f.join();
        }
        begin.report();
    }
}

[[noreturn]] void echo() {
    const int listener = bench::echo_listener(SOCK_NONBLOCK);
    auto stacks = make_stacks();
    boost::fibers::use_scheduling_algorithm<bench::epoll_algorithm>();
    bench::epoll_waiter accepting(listener);
    while (true) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd < 0) {
            accepting.wait();
            continue;
        }
        start(stacks, [fd] {
            bench::epoll_waiter readable(fd);
            char buffer[bench::echo_buffer];
            while (true) {
                const ssize_t n = ::read(fd, buffer, sizeof buffer);
                if (n < 0 && errno == EAGAIN) {
                    readable.wait();
                } else if (n <= 0 || ::write(fd, buffer, static_cast<std::size_t>(n)) != n) {
                    break;
                }
            }
            ::close(fd);
        }).detach();
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string bench = argc == 3 ? argv[1] : "";
    const std::string which = argc == 3 ? argv[2] : "";
    if (bench == "switch") {
        switches(std::atoi(argv[2]));
    } else if (bench == "spawn") {
        spawns(which == "one" ? 1 : bench::spawn_batch, which == "one" ? 20'000 : 2);
    } else if (bench == "sleepers") {
        sleepers(argv[2]);
    } else if (bench == "echo") {
        echo();
    } else if (bench == "sync" && which == "rendezvous") {
        channel<boost::fibers::unbuffered_channel<long>>();
    } else if (bench == "sync" && which == "buffered") {
        channel<boost::fibers::buffered_channel<long>>(bench::channel_buffer);
    } else {
        bench::usage(argv[0], "switch|spawn|sleepers|echo|sync CASE");
    }
}
