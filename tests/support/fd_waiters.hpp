// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/fd_table.hpp"

#include <mutex>
#include <thread>

namespace tendril::test {

/// How many fibers of all hubs are in the lists of fd.
inline int count_waiters(int fd) {
    namespace io = detail::io;
    io::fd_entry* const e = io::fd_table::find(fd);
    if (e == nullptr) {
        return 0;
    }
    const std::lock_guard lock(e->lock);
    int count = 0;
    for (const io::source* s = &e->first; s != nullptr; s = s->following()) {
        const io::fd_waiter* const first = s->waiters.load();
        for (const io::fd_waiter* w = first; w != nullptr;
             w = w->next == first ? nullptr : w->next) {
            ++count;
        }
    }
    return count;
}

/// Waits, as a thread, until that many fibers of other threads wait for fd.
inline void await_waiters(int fd, int count) {
    while (count_waiters(fd) < count) {
        std::this_thread::yield();
    }
}

} // namespace tendril::test
