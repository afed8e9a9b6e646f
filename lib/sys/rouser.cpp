// SPDX-License-Identifier: BSL-1.0
//
// The signal is the one by which glibc has all threads change their user id. Its handler is there
// once the process has had a second thread, libc lets nobody block it, and it returns at once
// unless tgkill(2) sent the signal (nptl/nptl_setxid.c: a "safety check"), which a timer does not.
// A timer, because it comes again: a signal just before the system call would be lost.
#include "sys/rouser.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::sys {

namespace {

constexpr int setxid_signal = 33;
constexpr int to_thread = 4; // SIGEV_THREAD_ID: timer_create(2)
constexpr long interval = 1'000'000;

/// Without one the signal would end the process.
bool has_handler() noexcept {
#ifdef __GLIBC__
    std::uintptr_t action[32] = {}; // the kernel's struct begins with the handler
    constexpr std::size_t mask_size = 8;
    return ::syscall(SYS_rt_sigaction, setxid_signal, nullptr, action, mask_size) == 0 &&
           action[0] != reinterpret_cast<std::uintptr_t>(SIG_DFL) &&
           action[0] != reinterpret_cast<std::uintptr_t>(SIG_IGN);
#else
    return false;
#endif
}

} // namespace

void rouser::begin(pid_t thread) noexcept {
    const int saved = errno;
    sigevent event{};
    event.sigev_notify = to_thread;
    event.sigev_signo = setxid_signal;
    event._sigev_un._tid = thread;
    int timer = none;
    if (has_handler() && ::syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) == 0) {
        // From here the thread may delete it; then it cannot be set, which is as well.
        const int before = timer_.exchange(timer, std::memory_order_seq_cst);
        const itimerspec often{{0, interval}, {0, 1}};
        ::syscall(SYS_timer_settime, timer, 0, &often, nullptr);
        if (before != none) {
            ::syscall(SYS_timer_delete, before);
        }
    }
    errno = saved;
}

bool rouser::end() noexcept {
    const int timer = timer_.exchange(none, std::memory_order_seq_cst);
    if (timer == none) {
        return false;
    }
    const int saved = errno;
    ::syscall(SYS_timer_delete, timer);
    errno = saved;
    return true;
}

} // namespace tendril::sys
