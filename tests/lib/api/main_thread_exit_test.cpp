// SPDX-License-Identifier: BSL-1.0
// pthread_exit(3) of the main thread: the process goes on, and the fibers get their grace. A
// program of its own, because GoogleTest would catch the unwinding.
#include <tendril/fiber.hpp>

#include "support/leaks.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <system_error>
#include <thread>

using namespace std::chrono_literals;

namespace {

tendril::fiber<void> stuck;
tendril::fiber<int> quick;

void judge() {
    int code = 0;
    const bool result = quick.get() == 4;
    try {
        stuck.get();
    } catch (const std::system_error& e) {
        code = e.code().value();
    }
    if (!result || code != ECANCELED) {
        std::fprintf(stderr, "the fiber that ended in time: %s; the other: %d\n",
                     result ? "well" : "lost", code);
    }
    std::_Exit(result && code == ECANCELED ? 0 : 1);
}

} // namespace

int main() {
    const tendril::detail::lost_on_purpose lost;
    ::setenv("TENDRIL_EXIT_GRACE_MS", "50", 1);
    stuck = tendril::spawn([] { tendril::this_fiber::sleep_for(1h); });
    quick = tendril::spawn([] {
        tendril::this_fiber::sleep_for(1ms);
        return 4;
    });
    tendril::this_fiber::yield();
    std::thread(judge).detach();
    ::pthread_exit(nullptr);
}
