// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <sys/types.h>

namespace tendril::sys {

/// Ends the system call that a thread sleeps in, when there is no fd left to do it by: makes calls
/// end with EINTR that signals end, until that thread says that it has understood. No handler of
/// the program's runs.
class rouser {
public:
    /// Any thread; async-signal-safe. Does nothing where it cannot be done.
    void begin(pid_t thread) noexcept;

    bool is_on() const noexcept { return timer_.load(std::memory_order_relaxed) != none; }

    /// By the thread that is roused. Whether it was.
    bool end() noexcept;

    /// In the child of a fork, which has none of its parent's timers.
    void forked() noexcept { timer_.store(none, std::memory_order_relaxed); }

private:
    static constexpr int none = -1;
    std::atomic<int> timer_{none}; ///< the kernel's number for it
};

} // namespace tendril::sys
