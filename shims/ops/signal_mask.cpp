// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/signal_mask.hpp"

#include "io/hub_io.hpp"
#include "shims/ops/scratch.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/signalfd.h>

namespace tendril::detail::shim {

masked_signals::masked_signals(const sigset_t* mask) noexcept {
    sigset_t blocked;
    if (mask == nullptr || ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked) != 0) {
        return;
    }
    sigset_t through;
    sigemptyset(&through);
    for (int number = 1; number < NSIG; ++number) {
        if (sigismember(&blocked, number) == 1 && sigismember(mask, number) == 0) {
            sigaddset(&through, number);
        }
    }
    if (sigisemptyset(&through) != 0) {
        return;
    }
    open(through);
}

void signal_fd::open(const sigset_t& signals) noexcept {
    signals_ = signals;
    fd_ = sys::adopt(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
    lacking_ = fd_ < 0;
}

void signal_fd::renew() noexcept {
    if (fd_ >= 0) {
        sys::lose_own(fd_);
    }
    open(sigset_t(signals_));
}

time_point signal_fd::next_look(time_point deadline) const noexcept {
    return lacking_ ? std::min(deadline, hub_core::current().now() + io::hub_io::retry_interval)
                    : deadline;
}

bool signal_fd::is_lost() const noexcept {
    return fd_ >= 0 && sys::real.fcntl(fd_, F_GETFD) < 0;
}

bool signal_fd::is_pending() const noexcept {
    sigset_t pending;
    ::sigpending(&pending);
    sigset_t both;
    sigandset(&both, &pending, &signals_);
    return sigisemptyset(&both) == 0;
}

signal_fd::~signal_fd() {
    if (fd_ >= 0) {
        const int saved = errno;
        const auto number = static_cast<unsigned>(fd_);
        io::closing_range(number, number);
        sys::close_own(fd_);
        errno = saved;
    }
}

int masked_poll(pollfd* fds, nfds_t count, time_point deadline, const sigset_t* mask,
                io::options& o) noexcept {
    constexpr timespec none = {0, 0};
    // Delivers what is pending, too.
    int ready = negative(libc.ppoll(fds, count, &none, mask));
    if (ready != 0 || deadline == time_point::min()) {
        return ready;
    }
    masked_signals signals(mask);
    scratch<pollfd, 16> all(count + 1);
    while (ready == 0) {
        if (all.data() == nullptr) {
            return -ENOMEM;
        }
        std::copy(fds, fds + count, all.data());
        all.data()[count] = {signals.fd(), POLLIN, 0}; // a negative one is ignored
        o.deadline = signals.next_look(deadline);
        const int woken = io::poll(all.data(), count + 1, o);
        if (woken < 0 || (woken == 0 && o.deadline == deadline)) {
            return woken;
        }
        if (woken == 0 || (all.data()[count].revents & POLLNVAL) != 0) {
            signals.renew();
        }
        ready = negative(libc.ppoll(fds, count, &none, mask));
    }
    return ready;
}

} // namespace tendril::detail::shim
