// SPDX-License-Identifier: BSL-1.0
#pragma once

// What Boost.Fiber needs to wait for sockets: an algorithm that sleeps in epoll instead of on a
// condition variable. Edge-triggered, each socket registered once: the least that can be done per
// wait. It looks into epoll only when no fiber is ready, which is all that ping-pong needs.

#include <boost/fiber/algo/round_robin.hpp>
#include <boost/fiber/context.hpp>

#include <array>
#include <chrono>
#include <utility>

#include <sys/epoll.h>

namespace bench {

class epoll_waiter {
public:
    explicit epoll_waiter(int fd) {
        epoll_event interest{};
        interest.events = EPOLLIN | EPOLLET;
        interest.data.ptr = this;
        ::epoll_ctl(epoll(), EPOLL_CTL_ADD, fd, &interest);
    }
    epoll_waiter(const epoll_waiter&) = delete;
    epoll_waiter& operator=(const epoll_waiter&) = delete;

    /// Until the next edge; call when a read said EAGAIN.
    void wait() {
        if (!edge_) {
            fiber_ = boost::fibers::context::active();
            fiber_->suspend();
        }
        edge_ = false;
    }

    static int epoll() {
        static const int fd = ::epoll_create1(EPOLL_CLOEXEC);
        return fd;
    }

    static void poll(int milliseconds) noexcept {
        static std::array<epoll_event, 1024> events;
        const int count =
            ::epoll_wait(epoll(), events.data(), static_cast<int>(events.size()), milliseconds);
        for (int i = 0; i < count; ++i) {
            auto* self = static_cast<epoll_waiter*>(events[static_cast<std::size_t>(i)].data.ptr);
            self->edge_ = true;
            if (auto* fiber = std::exchange(self->fiber_, nullptr); fiber != nullptr) {
                boost::fibers::context::active()->schedule(fiber);
            }
        }
    }

private:
    boost::fibers::context* fiber_ = nullptr;
    bool edge_ = false;
};

class epoll_algorithm : public boost::fibers::algo::round_robin {
public:
    void suspend_until(const std::chrono::steady_clock::time_point& until) noexcept override {
        int milliseconds = -1;
        if (until != std::chrono::steady_clock::time_point::max()) {
            const auto left = until - std::chrono::steady_clock::now();
            const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(left).count();
            milliseconds = rounded > 0 ? static_cast<int>(rounded) : 0;
        }
        epoll_waiter::poll(milliseconds);
    }
};

} // namespace bench
