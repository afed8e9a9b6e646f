// SPDX-License-Identifier: BSL-1.0
// state-threads beside us: the same work with its threads, on epoll. It has no call that yields; a
// sleep of zero, which goes through its timers and its poll, is what takes that place.

#include "bench/support/echo.hpp"
#include "bench/support/measure.hpp"
#include "bench/support/sleepers.hpp"
#include "bench/support/work.hpp"

#include <st.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

constexpr int stack_size = 64 * 1024;

/// Calls the function that `argument` points to, which outlives the thread.
template <typename Function>
void* call(void* argument) {
    (*static_cast<Function*>(argument))();
    return nullptr;
}

template <typename Function>
st_thread_t start(Function& function) {
    st_thread_t thread = ::st_thread_create(call<Function>, &function, 1, stack_size);
    if (thread == nullptr) {
        bench::fail("st_thread_create");
    }
    return thread;
}

void switches(int fibers) {
    bench::yield_work work(fibers, 100'000);
    auto body = [&work] { work.body([] { ::st_usleep(0); }); };
    std::vector<st_thread_t> threads;
    for (int i = 0; i < fibers; ++i) {
        threads.push_back(start(body));
    }
    for (st_thread_t thread : threads) {
        ::st_thread_join(thread, nullptr);
    }
    work.report();
}

void spawns(int fibers, int rounds) {
    std::vector<st_thread_t> threads(static_cast<std::size_t>(fibers));
    long done = 0;
    auto body = [&done] { ++done; };
    bench::spawn_work(fibers, rounds, [&] {
        for (auto& thread : threads) {
            thread = start(body);
        }
        for (st_thread_t thread : threads) {
            ::st_thread_join(thread, nullptr);
        }
    });
}

void* sleep_for(void* ns) {
    const auto rounded_up = (*static_cast<const std::int64_t*>(ns) + 999) / 1000;
    ::st_usleep(static_cast<st_utime_t>(rounded_up));
    return nullptr;
}

void sleepers(const char* path) {
    auto sleeps = bench::read_sleeps(path);
    const bench::sleepers_result begin(sleeps);
    std::vector<st_thread_t> threads;
    threads.reserve(sleeps.size());
    for (std::int64_t& ns : sleeps) {
        threads.push_back(::st_thread_create(sleep_for, &ns, 1, stack_size));
        if (threads.back() == nullptr) {
            bench::fail("st_thread_create");
        }
    }
    for (st_thread_t thread : threads) {
        ::st_thread_join(thread, nullptr);
    }
    begin.report();
}

void* serve(void* connection) {
    auto* client = static_cast<st_netfd_t>(connection);
    char buffer[bench::echo_buffer];
    ssize_t n = 0;
    while ((n = ::st_read(client, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0) {
        if (::st_write(client, buffer, static_cast<std::size_t>(n), ST_UTIME_NO_TIMEOUT) != n) {
            break;
        }
    }
    ::st_netfd_close(client);
    return nullptr;
}

[[noreturn]] void echo() {
    st_netfd_t listener = ::st_netfd_open_socket(bench::echo_listener(0));
    while (true) {
        st_netfd_t client = ::st_accept(listener, nullptr, nullptr, ST_UTIME_NO_TIMEOUT);
        if (client == nullptr || ::st_thread_create(serve, client, 0, stack_size) == nullptr) {
            bench::fail("st_accept");
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string bench = argc == 3 ? argv[1] : "";
    const std::string which = argc == 3 ? argv[2] : "";
    bench::raise_descriptor_limit(); // st_init() makes room for as many as are allowed then
    if (::st_set_eventsys(ST_EVENTSYS_ALT) != 0 || ::st_init() != 0) {
        bench::fail("st_init");
    }
    if (bench == "switch") {
        switches(std::atoi(argv[2]));
    } else if (bench == "spawn") {
        spawns(which == "one" ? 1 : bench::spawn_batch, which == "one" ? 50'000 : 4);
    } else if (bench == "sleepers") {
        sleepers(argv[2]);
    } else if (bench == "echo") {
        echo();
    } else {
        bench::usage(argv[0], "switch|spawn|sleepers|echo CASE");
    }
}
