// SPDX-License-Identifier: BSL-1.0
// When nothing can wake any fiber: found out where a hub is about to sleep without a limit.
#include "base/single_threaded.hpp"
#include "hub/hub_core.hpp"

#include <tendril/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace tendril::detail {
namespace {

constexpr std::chrono::milliseconds first_pause{20};
constexpr std::chrono::seconds longest_pause{10};
constexpr std::size_t glance = 64; ///< records looked at on the way to sleep
constexpr std::size_t everything = ~std::size_t{0};

/// Only other fibers end such a wait. All else may come from outside, or is not known.
bool is_for_fibers(const wait_reason& why) noexcept {
    return why.kind == wait_kind::sync || why.kind == wait_kind::join;
}

} // namespace

/// The flow whose wait fails: the main fiber, or the fiber that survived a fork without it.
fiber_record& hub_core::principal() noexcept {
    return sole_survivor_ != nullptr ? *sole_survivor_ : main_;
}

/// Looks at so many records for a fiber that can be woken from outside, the one found last time
/// first.
hub_core::hope hub_core::look_for_hope(std::size_t at_most) noexcept {
    const std::size_t records = records_.size();
    std::size_t seen = 0;
    for (std::size_t n = 0; n < records && seen < live_; ++n) {
        const std::size_t i = (deadlocks_.hopeful + n) % records;
        if (n == at_most) {
            return hope::unknown;
        }
        const fiber_record& r = records_[i];
        if (r.job == nullptr) {
            continue;
        }
        if (r.waiting == nullptr || !is_for_fibers(*r.waiting)) {
            deadlocks_.hopeful = i;
            return hope::found;
        }
        ++seen;
    }
    return hope::none;
}

/// Nobody can run, and no timer is set. Until when to sleep. Must not cost a server anything, whose
/// fibers wait for I/O: so it glances at a few; if that does not tell, it looks at all after a
/// pause in which nothing came.
time_point hub_core::before_endless_sleep() noexcept {
    fiber_record& main = principal();
    // What guests wait for only their own scheduler knows.
    if (has_guests() || main.waiting == nullptr || !is_for_fibers(*main.waiting)) {
        return never;
    }
    const bool is_new = deadlocks_.quiet_since != switches_;
    const hope found = look_for_hope(is_new ? glance : everything);
    if (found == hope::found) {
        return never;
    }
    if (is_new) {
        deadlocks_.quiet_since = switches_;
        deadlocks_.pause = first_pause;
        // Other threads take a while to be counted, and most likely do have something for us.
        if (found == hope::unknown || !single_threaded()) {
            return now() + deadlocks_.pause;
        }
    }
    if (!deadlocks_.is_alone()) {
        deadlocks_.pause = std::min<time_point::duration>(deadlocks_.pause * 2, longest_pause);
        return now() + deadlocks_.pause; // they may end
    }
    // What the last of them left here came before its end.
    if (!mailbox_.empty()) {
        return time_point::min();
    }
    return deadlock(main) ? time_point::min() : never;
}

/// True: the main fiber goes on, and learns of it. Whether or not its wait can be cancelled.
bool hub_core::deadlock(fiber_record& main) noexcept {
    const ticket wait{&main, main.word.load(std::memory_order_acquire)};
    if (main.waiting->uncaught != 0) {
        if (std::exchange(deadlocks_.printed, wait.value) != wait.value) {
            print_deadlock();
        }
        return false;
    }
    if (!wake_up(wait, wake::cancelled)) {
        return false;
    }
    deadlocks_.victims_wait = *main.waiting; // it has not run yet
    if (std::exchange(deadlocks_.victim, &main) == nullptr) {
        ++given_up_;
    }
    return true;
}

void hub_core::print_deadlock() noexcept {
    try {
        std::fprintf(stderr, "tendril: %s", deadlock_error(census()).what());
    } catch (...) {
        std::fputs("tendril: all fibers wait for each other\n", stderr);
    }
}

void hub_core::throw_deadlock() {
    std::vector<fiber_info> all;
    try {
        all = census(); // the others still wait
    } catch (const std::bad_alloc&) {
    }
    deadlocks_.victim = nullptr;
    --given_up_;
    throw deadlock_error(std::move(all));
}

} // namespace tendril::detail

namespace tendril {
inline namespace v1 {

struct deadlock_error::report {
    std::vector<fiber_info> fibers;
    std::string text;
};

deadlock_error::deadlock_error(std::vector<fiber_info> fibers)
    : std::system_error(EDEADLK, std::system_category()) {
    std::string text = "deadlock: every fiber waits for what only another fiber can do\n";
    text += to_string(fibers);
    report_ = std::make_shared<const report>(report{std::move(fibers), std::move(text)});
}

deadlock_error::~deadlock_error() = default;

const char* deadlock_error::what() const noexcept {
    return report_->text.c_str();
}

const std::vector<fiber_info>& deadlock_error::fibers() const noexcept {
    return report_->fibers;
}

} // namespace v1
} // namespace tendril
