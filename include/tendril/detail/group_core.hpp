// SPDX-License-Identifier: BSL-1.0
#pragma once

// What task groups and pools are built on. Nothing here is for direct use.

#include <tendril/detail/scope.hpp>
#include <tendril/detail/task.hpp>
#include <tendril/detail/wait_queue.hpp>
#include <tendril/export.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

namespace tendril {
namespace detail {

class hub_core;
struct group_child;
struct scope_link;

/// Fibers that none outlives. Any thread may add one, cancel, and wait.
class TENDRIL_EXPORT group_core {
public:
    /// `together`: the first error of a member cancels the others, and all errors are kept here.
    /// Else errors are the business of whoever has the member's handle.
    explicit group_core(bool together) noexcept
        : together_(together) {}
    ~group_core();
    group_core(const group_core&) = delete;
    group_core& operator=(const group_core&) = delete;

    /// Those who are in it and, if `for_ever`, those who come: they end before they begin. Never
    /// fails: what lacks memory is tried again by who waits.
    void cancel(const char* reason, bool for_ever = true) noexcept;
    void cancel(const std::string& reason, bool for_ever = true) noexcept {
        cancel(reason.c_str(), for_ever);
    }

    /// Until all have ended. If the calling fiber gives up, it cancels them and still waits, and
    /// throws then.
    /// @throws std::system_error EDEADLK: by a member.
    void wait();
    void wait_unconditionally() noexcept;

    /// Throws what has been kept, and `first` before that; nothing if there is nothing.
    void throw_errors(const std::exception_ptr& first = nullptr);

    std::size_t size() const noexcept { return queue_.word.load(std::memory_order_acquire) >> 2; }
    bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }

private:
    friend struct group_access; // the library's side

    wait_queue queue_; // the word: how many there are << 2. Its lock is for all that follows
    group_child* members_ = nullptr;
    group_child* failed_ = nullptr;
    group_child* last_failed_ = nullptr;
    std::shared_ptr<scope_link> body_;
    hub_core* body_home_ = nullptr;
    const bool together_;
    bool cancel_again_ = false; ///< some could not be told
    std::atomic<bool> cancelled_{false};
};

/// Where launch() puts a fiber. `counts` false: its error is not the group's yet.
struct group_membership {
    group_core& group;
    std::shared_ptr<const std::atomic<bool>> counts{};
};

/// While the body of a group runs, on its fiber: what cancels the group ends the body's waits too.
class TENDRIL_EXPORT group_body : scope {
public:
    explicit group_body(group_core& of);
    ~group_body();
    group_body(const group_body&) = delete;
    group_body& operator=(const group_body&) = delete;

    /// Whether it was this that ended a wait.
    bool is(const void* interrupted_of) const noexcept {
        return interrupted_of == static_cast<const scope*>(this);
    }

private:
    group_core& of_;
};

[[noreturn]] TENDRIL_EXPORT void throw_group_cancelled();
[[noreturn]] TENDRIL_EXPORT void throw_never_started();

} // namespace detail
} // namespace tendril
