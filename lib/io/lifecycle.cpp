// SPDX-License-Identifier: BSL-1.0
#include "io/fd_table.hpp"
#include "io/hub_io.hpp"
#include "io/operations.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/close_range.h>
#include <sys/syscall.h>

namespace tendril::detail::io {

void closing(int fd) noexcept {
    fd_entry* const e = fd_table::find(fd);
    if (e != nullptr && fd_table::ours()) {
        fd_table::forget(fd, *e);
    }
}

void closing_range(unsigned first, unsigned last) noexcept {
    if (!fd_table::ours()) {
        return;
    }
    struct range {
        unsigned first, last;
    } wanted{first, last};
    fd_table::for_each(
        [](void* context, int fd, fd_entry& e) {
            const auto& r = *static_cast<const range*>(context);
            const auto number = static_cast<unsigned>(fd);
            if (number >= r.first && number <= r.last) {
                fd_table::forget(fd, e);
            }
        },
        &wanted);
}

namespace {

int negative(int r) noexcept {
    return r < 0 ? -errno : r;
}

/// The fds that the calling thread's hub lives on, in order; -1 for none.
std::array<int, 4> hub_fds() noexcept {
    std::array<int, 4> all{-1, -1, -1, -1};
    if (hub_core* hub = hub_core::current_or_null()) {
        const auto reactors = hub->poller().own_fds();
        std::copy(reactors.begin(), reactors.end(), all.begin());
        if (hub->extension(extension_slot::io) != nullptr) {
            const auto ours = hub_io::of(*hub).own_fds();
            std::copy(ours.begin(), ours.end(), all.begin() + 2);
        }
    }
    std::sort(all.begin(), all.end());
    return all;
}

bool keeps_the_hub_going(int fd) noexcept {
    const auto all = hub_fds();
    return fd >= 0 && std::find(all.begin(), all.end(), fd) != all.end();
}

} // namespace

int close(int fd) noexcept {
    if (keeps_the_hub_going(fd)) {
        return -EBADF;
    }
    closing(fd);
    return negative(sys::real.close(fd));
}

int close_range(unsigned first, unsigned last, int flags) noexcept {
    if (first > last) {
        return -EINVAL;
    }
    if ((flags & CLOSE_RANGE_CLOEXEC) == 0) {
        closing_range(first, last);
    }
    // In pieces, around what must stay.
    for (const int fd : hub_fds()) {
        const auto number = static_cast<unsigned>(fd);
        if (fd < 0 || number < first || number > last) {
            continue;
        }
        if (number > first && ::syscall(SYS_close_range, first, number - 1, flags) != 0) {
            return -errno;
        }
        first = number + 1;
    }
    return first > last || ::syscall(SYS_close_range, first, last, flags) == 0 ? 0 : -errno;
}

namespace {

/// Nothing happens to `to` unless the call will succeed.
bool will_replace(int from, int to) noexcept {
    return from != to && to >= 0 && sys::real.fcntl(from, F_GETFD) >= 0;
}

void take_over(int from, int to) noexcept {
    const fd_entry* e = fd_table::find(from);
    if (e != nullptr && (e->traits.load(std::memory_order_relaxed) & trait::hidden) != 0) {
        hide_nonblock(to);
    }
}

} // namespace

int dup2(int from, int to) noexcept {
    const bool replaces = will_replace(from, to);
    if (replaces && keeps_the_hub_going(to)) {
        return -EBUSY;
    }
    if (replaces) {
        closing(to);
    }
    const int r = negative(sys::real.dup2(from, to));
    if (replaces && r >= 0) {
        take_over(from, to);
    }
    return r;
}

int dup3(int from, int to, int flags) noexcept {
    const bool replaces = will_replace(from, to) && (flags & ~O_CLOEXEC) == 0;
    if (replaces && keeps_the_hub_going(to)) {
        return -EBUSY;
    }
    if (replaces) {
        closing(to);
    }
    const int r = negative(sys::real.dup3(from, to, flags));
    if (replaces && r >= 0) {
        take_over(from, to);
    }
    return r;
}

} // namespace tendril::detail::io
