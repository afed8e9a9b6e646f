// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "reactor/reactor.hpp"
#include "sys/rouser.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <sys/epoll.h>

namespace tendril::detail {

/// The reactor on epoll(7), edge-triggered. The token travels in
/// epoll_event.data.
class epoll_reactor final : public reactor {
public:
    epoll_reactor(); ///< throws std::system_error (EMFILE, ENOMEM…)
    ~epoll_reactor() override;
    epoll_reactor(const epoll_reactor&) = delete;
    epoll_reactor& operator=(const epoll_reactor&) = delete;

    time_point now() noexcept override;
    int watch(int fd, std::uint64_t token, std::uint32_t interest) noexcept override;
    int rewatch(int fd, std::uint64_t token, std::uint32_t interest) noexcept override;
    int unwatch(int fd) noexcept override;
    int reset() noexcept override;
    bool poll(time_point deadline, listener& to) noexcept override;
    void attached() noexcept override;
    void interrupt() noexcept override;
    void forked() override;

private:
    int open() noexcept;
    int control_wakeup(int epoll_fd, int operation, std::uint32_t interest) const noexcept;
    void close() noexcept;
    int control(int operation, int fd, std::uint64_t token, std::uint32_t interest) noexcept;
    bool made_anew(int error) noexcept;
    int wait(time_point deadline) noexcept;
    int wait_milliseconds(time_point deadline) noexcept;
    void deliver(std::size_t count, listener& to) noexcept;

    // Other threads unwatch and interrupt.
    std::atomic<int> epoll_fd_{-1}; ///< with wakeup_fd_; -1: not opened again since a fork
    std::atomic<int> wakeup_fd_{-1};
    std::atomic<pid_t> owner_{0};
    sys::rouser rouser_;      ///< of who sleeps in a set that has no number any more
    bool lost_ = false;       ///< a listener is to be told that it was made anew
    bool nanoseconds_ = true; ///< epoll_pwait2 works: Linux 5.11, and no seccomp
                              ///< filter against it
    // Not on the stack: poll() runs on the stack of whichever fiber parked last. No more at once
    // than the caches hold of what their fibers touch (lib/README.md has figures).
    std::array<epoll_event, 128> events_;
};

} // namespace tendril::detail
