// SPDX-License-Identifier: BSL-1.0
#include "io/fd_table.hpp"
#include "io/fd_traits.hpp"
#include "io/operations.hpp"
#include "io/patient_calls.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <cerrno>

namespace tendril::detail::io {

void closing(int fd) noexcept {
    fd_entry* const e = fd_table::find(fd);
    if (e != nullptr && fd_table::ours()) {
        fd_table::forget(fd, *e);
        patient_calls::closing(static_cast<unsigned>(fd), static_cast<unsigned>(fd));
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
    patient_calls::closing(first, last);
}

namespace {

int negative(int r) noexcept {
    return r < 0 ? -errno : r;
}

} // namespace

int close(int fd) noexcept {
    if (sys::is_own(fd)) {
        return -EBADF;
    }
    closing(fd);
    return negative(sys::real.close(fd));
}

namespace {

/// Nothing happens to `to` unless the call will succeed.
bool will_replace(int from, int to) noexcept {
    return from != to && to >= 0 && sys::real.fcntl(from, F_GETFD) >= 0;
}

/// Two numbers, one description: what the program asks of one is to hold for the other.
void take_over(int from, int to) noexcept {
    fd_entry* const e = fd_table::find(from);
    fd_entry* const copy = e == nullptr ? nullptr : fd_table::at(to);
    if (copy != nullptr) {
        uncover_nonblock(from);
        copy->made_epoch.store(e->made_epoch.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
    }
}

} // namespace

int dup2(int from, int to) noexcept {
    const bool replaces = will_replace(from, to);
    if (replaces && sys::is_own(to)) {
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
    if (replaces && sys::is_own(to)) {
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

void duplicated(int from, int to) noexcept {
    if (to >= 0) {
        closing(to); // what had this number before was closed behind our back
        take_over(from, to);
    }
}

} // namespace tendril::detail::io
