// SPDX-License-Identifier: BSL-1.0
//
// epoll fds of the program. The hub's own never come through here.

#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/signal_mask.hpp"
#include "shims/ops/time_spec.hpp"

namespace tendril::detail::shim::ops {

namespace {

int wait_masked(int epfd, epoll_event* events, int room, time_point deadline, const sigset_t* mask,
                io::options& o) noexcept {
    int ready = negative(libc.epoll_pwait(epfd, events, room, 0, mask));
    if (ready != 0 || deadline == time_point::min()) {
        return ready;
    }
    masked_signals signals(mask);
    while (ready == 0) {
        pollfd both[] = {{epfd, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
        o.deadline = signals.next_look(deadline);
        const int woken = io::poll(both, 2, o);
        if (woken < 0 || (woken == 0 && o.deadline == deadline)) {
            return woken;
        }
        if ((both[0].revents & POLLNVAL) != 0) {
            return -EBADF; // closed meanwhile
        }
        if (woken == 0 || (both[1].revents & POLLNVAL) != 0) {
            signals.renew();
        }
        // It looks at signals only when it is about to sleep. It will not, with one pending.
        const int timeout = signals.is_pending() ? 1 : 0;
        ready = negative(libc.epoll_pwait(epfd, events, room, timeout, mask));
    }
    return ready;
}

int wait(int epfd, epoll_event* events, int room, time_point deadline, const sigset_t* mask,
         io::options& o) noexcept {
    o.deadline = deadline;
    return mask == nullptr ? io::epoll_wait(epfd, events, room, o)
                           : wait_masked(epfd, events, room, deadline, mask, o);
}

} // namespace

int epoll_wait(int epfd, struct epoll_event* events, int room, int timeout) noexcept {
    return call(
        tendril_shim_index_epoll_wait,
        [&](hub_core&, io::options& o) {
            return wait(epfd, events, room, deadline_in_milliseconds(timeout), nullptr, o);
        },
        [&] { return libc.epoll_wait(epfd, events, room, timeout); });
}

int epoll_pwait(int epfd, struct epoll_event* events, int room, int timeout,
                const sigset_t* mask) noexcept {
    return call(
        tendril_shim_index_epoll_pwait,
        [&](hub_core&, io::options& o) {
            return wait(epfd, events, room, deadline_in_milliseconds(timeout), mask, o);
        },
        [&] { return libc.epoll_pwait(epfd, events, room, timeout, mask); });
}

int epoll_pwait2(int epfd, struct epoll_event* events, int room, const struct timespec* timeout,
                 const sigset_t* mask) noexcept {
    return call(
        tendril_shim_index_epoll_pwait2,
        [&](hub_core&, io::options& o) {
            if (timeout != nullptr && !valid(*timeout)) {
                return -EINVAL;
            }
            return wait(epfd, events, room, deadline_of(timeout), mask, o);
        },
        [&] { return libc.epoll_pwait2(epfd, events, room, timeout, mask); });
}

} // namespace tendril::detail::shim::ops
