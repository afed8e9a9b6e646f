// SPDX-License-Identifier: BSL-1.0
// What a hub does when no fiber can run.
#include "base/cycle_counter.hpp"
#include "base/single_threaded.hpp"
#include "hub/hub_core.hpp"
#include "hub/keep_errno.hpp"

#include <algorithm>
#include <chrono>
#include <sys/resource.h>

namespace tendril::detail {

namespace {

// Longer than a wake-up from the kernel takes, or two hubs that begin to exchange something would
// both be asleep again before the other's answer comes.
constexpr std::chrono::microseconds spin_time{50};
/// In cycles, as the present one.
constexpr std::uint32_t longest_spin = cycles_per_millisecond / 20;
constexpr std::uint32_t first_spin = longest_spin / 8;

inline void pause_cpu() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Where others want this CPU too, to spin makes the hub wait all the longer when it must, and
/// keeps its peer from being put here, where the two would hand over to each other at once.
bool is_alone_on_its_cpu() noexcept {
    thread_local constinit long preemptions = 0;
    thread_local constinit std::uint64_t calm_from = 0;
    rusage use{};
    ::getrusage(RUSAGE_THREAD, &use);
    const std::uint64_t now = cycle_counter();
    if (use.ru_nivcsw != preemptions) {
        preemptions = use.ru_nivcsw;
        calm_from = now + 10 * cycles_per_millisecond;
    }
    return now >= calm_from;
}

} // namespace

/// What a hub of another thread answers comes within less time than it takes to fall asleep and be
/// woken up: then look for it a while. One look in vain, and it sleeps at once the next time: where
/// all CPUs are busy, to spin only takes time from whoever would answer.
bool hub_core::spin() noexcept {
    if (timers_.size() != 0 && timers_.next_event() <= reactor_->now() + spin_time) {
        return false;
    }
    const std::uint64_t begin = cycle_counter();
    do {
        if (!nothing_came()) {
            return true;
        }
        pause_cpu();
    } while (cycle_counter() - begin < spin_);
    spin_ = 0;
    return false;
}

/// Was the sleep so short that to spin would have been better? Then a little longer than last time,
/// for at first the peer sleeps too.
void hub_core::judge_sleep(std::uint64_t cycles) noexcept {
    if (cycles < longest_spin && !nothing_came() && is_alone_on_its_cpu()) {
        spin_ = std::clamp(2 * spin_, first_spin, longest_spin);
    } else {
        spin_ = 0;
    }
}

/// Nothing can run: sleep until something may.
void hub_core::wait_for_work() noexcept {
    const keep_errno errno_of_the_running_fiber(cells_);
    if (spin_ != 0 && spin()) {
        if (cycle_counter() - polled_at_ > cycles_per_millisecond) {
            service(); // who always finds something here would never hear of I/O
        } else {
            take_inboxes();
            if (timers_.size() != 0) {
                fire_timers(reactor_->now());
            }
        }
        return;
    }
    ++counters_.polls;
    ++counters_.sleeps;
    const bool may_be_woken = may_spin_ && !single_threaded();
    const std::uint64_t asleep_at = may_be_woken ? cycle_counter() : 0;
    mailbox_.sleeping.store(true, std::memory_order_seq_cst);
    const bool may_wait = nothing_came();
    time_point until = may_wait ? timers_.next_event() : time_point::min();
    if (until == never && deadlocks_.is_alone != nullptr) {
        until = before_endless_sleep();
    }
    const bool more = reactor_->poll(until, *this);
    mailbox_.sleeping.store(false, std::memory_order_relaxed);
    polled_at_ = cycle_counter();
    poll_at_ = switches_ + (more ? switches_per_batch : switches_per_poll);
    if (may_be_woken) {
        judge_sleep(polled_at_ - asleep_at);
    }
    take_inboxes();
    if (timers_.size() != 0) {
        fire_timers(reactor_->now());
    }
}

} // namespace tendril::detail
