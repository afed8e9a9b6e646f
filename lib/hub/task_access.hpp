// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"
#include "hub/wait_list.hpp"

#include <tendril/detail/task.hpp>

#include <cstdint>
#include <exception>
#include <string>

namespace tendril::detail {

/// The library's side of a task. `references_` counts its owners: the handle, the fiber, a group, a
/// request to cancel it that is on its way. `state_` is a lock (bit 0), which guards joiners_, and
/// `done` (bit 1), which publishes the result and error_. `collected_` is the handle's.
struct task_access {
    static void begin(task& t, std::uint64_t id) noexcept { t.id_ = id; } ///< before launch
    static void set_name(task& t, const char* name); ///< before launch; may throw bad_alloc
    static void run(task& t) noexcept;               ///< calls the function, keeps what it throws
    static void drop(task& t) noexcept { t.drop(); } ///< instead of run(): what it was given
    static void fail(task& t, std::exception_ptr why) noexcept; ///< instead of run()
    static void complete(task& t) noexcept; ///< wakes the joiners; the caller then releases
    static const char* name(const task& t) noexcept { return t.name_ != nullptr ? t.name_ : ""; }
    /// For who may not read the task itself (outside.cpp).
    static const void* id_address(const task& t) noexcept { return &t.id_; }
    static const void* name_address(const task& t) noexcept { return &t.name_; }
    static void set_record(task& t, fiber_record& r) noexcept {
        t.where_.store(&r, std::memory_order_release);
    }
    /// The hub that it is on its way to.
    static void set_home(task& t, hub_core& h) noexcept;
    static hub_core* home(const task& t) noexcept;       ///< null: launched nowhere
    static fiber_record* record(const task& t) noexcept; ///< null: has not arrived
    static void cancel(task& t, std::string reason);
    static void add_reference(task& t) noexcept {
        t.references_.fetch_add(1, std::memory_order_relaxed);
    }
    /// The error of a fiber that ended by being cancelled.
    static std::exception_ptr was_cancelled(task& t, const std::string& reason) noexcept;
    static bool is_done(const task& t) noexcept {
        return (t.state_.load(std::memory_order_acquire) & done) != 0;
    }
    [[noreturn]] static void throw_joins_itself(const task& t);
    static bool join(task& t, time_point deadline);
    /// To be told when it is done. False: it is. Throws EDEADLK in the fiber itself.
    static bool watch(task& t, watcher& w);
    static void unwatch(task& t, watcher& w) noexcept; ///< afterwards nobody is telling it either
    static void report_uncollected(task& t) noexcept;
    static bool report_failure(task& t) noexcept; ///< false if there was none
    static std::string describe(const std::exception_ptr& error);

    // For a group, which keeps the error of a task that did not just end by being cancelled.
    static bool failed(const task& t) noexcept { return t.error_ != nullptr && !t.quiet_; }
    static void keep_quiet(task& t, bool quiet) noexcept { t.quiet_ = quiet; }
    static const std::exception_ptr& error(const task& t) noexcept { return t.error_; }

    static constexpr std::uint8_t locked = 1;
    static constexpr std::uint8_t done = 2;
};

} // namespace tendril::detail
