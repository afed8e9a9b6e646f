// SPDX-License-Identifier: BSL-1.0
#pragma once

// The floor of `echo`: a hand-written level-triggered epoll loop. Two system calls per request, and
// one for every 1,024 events.

#include "bench/support/echo.hpp"

#include <array>

#include <sys/epoll.h>

namespace bench {

[[noreturn]] inline void echo_floor() {
    const int listener = echo_listener(SOCK_NONBLOCK);
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    const auto add = [epoll](int fd) {
        epoll_event interest{};
        interest.events = EPOLLIN;
        interest.data.fd = fd;
        if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest) != 0) {
            fail("epoll_ctl");
        }
    };
    add(listener);
    std::array<epoll_event, 1024> events;
    std::array<char, echo_buffer> buffer;
    while (true) {
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                for (int c = 0; (c = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
                    add(c);
                }
                continue;
            }
            const ssize_t n = ::read(fd, buffer.data(), buffer.size());
            if (n <= 0 || ::write(fd, buffer.data(), static_cast<std::size_t>(n)) != n) {
                ::close(fd);
            }
        }
    }
}

} // namespace bench
