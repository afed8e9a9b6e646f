// SPDX-License-Identifier: BSL-1.0
#include "process/pidfd.hpp"

#include "io/operations.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <cerrno>
#include <mutex>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::detail::process {

namespace {

// All that are open, because the child of a fork must close them.
constinit std::mutex list_mutex;
constinit pidfd* first = nullptr;

} // namespace

struct pidfd_list {
    static void enter(pidfd& p) noexcept {
        const std::lock_guard lock(list_mutex);
        p.next_ = first;
        if (first != nullptr) {
            first->prev_ = &p;
        }
        first = &p;
    }

    static void leave(pidfd& p) noexcept {
        const std::lock_guard lock(list_mutex);
        (p.prev_ != nullptr ? p.prev_->next_ : first) = p.next_;
        if (p.next_ != nullptr) {
            p.next_->prev_ = p.prev_;
        }
    }

    static void forked() noexcept {
        for (; first != nullptr; first = first->next_) {
            sys::close_own(first->fd_);
        }
        list_mutex.unlock();
    }

    [[gnu::constructor]] static void hear_of_forks() {
        pthread_atfork([] { list_mutex.lock(); }, [] { list_mutex.unlock(); }, &forked);
    }
};

pidfd::pidfd(pid_t child) noexcept
    // glibc has no function for it before 2.36.
    : fd_(sys::adopt(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)))) {
    if (valid()) {
        pidfd_list::enter(*this);
    }
}

pidfd::~pidfd() {
    if (valid()) {
        pidfd_list::leave(*this);
        io::closing(fd_);
        sys::close_own(fd_);
    }
}

int wait_for_end(io::hub_io& io, int fd, const wait_reason& why, time_point deadline) noexcept {
    const io::fd_entry* const e = io::fd_table::find(fd);
    const std::uint32_t closings = e != nullptr ? e->closings.load(std::memory_order_acquire) : 0;
    const auto has_ended = [fd] {
        pollfd p = {fd, POLLIN, 0};
        return sys::real.poll(&p, 1, 0) > 0;
    };
    while (!has_ended()) {
        const int end = io.wait(fd, readiness::in, deadline, why, closings);
        if (end != 0) {
            return end == io::hub_io::always_ready ? -EBADF : end;
        }
    }
    return 0;
}

} // namespace tendril::detail::process
