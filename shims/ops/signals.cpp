// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/signal_mask.hpp"
#include "shims/ops/time_spec.hpp"

#include <csignal>

namespace tendril::detail::shim::ops {

namespace {

/// sigtimedwait(2) without a wait; -EAGAIN: none of them is pending.
int take_pending(const sigset_t* set, siginfo_t* info) noexcept {
    const timespec at_once = {0, 0};
    return negative(libc.sigtimedwait(set, info, &at_once));
}

int wait_for_signal(const sigset_t* set, siginfo_t* info, time_point deadline,
                    io::options& o) noexcept {
    hub_core::current().charge();
    int number = take_pending(set, info);
    if (number != -EAGAIN || deadline == time_point::min()) {
        return number;
    }
    signal_fd signals(*set);
    while (number == -EAGAIN) {
        o.deadline = signals.next_look(deadline);
        const int woken = io::wait(signals.fd(), POLLIN, o);
        if (woken < 0) {
            return woken;
        }
        number = take_pending(set, info);
        if (woken == 0 && o.deadline == deadline) {
            return number; // -EAGAIN, unless it came with the deadline
        }
        if (woken == 0 || (woken & POLLNVAL) != 0) {
            signals.renew();
        }
    }
    return number;
}

int suspend(const sigset_t* mask, io::options& o) noexcept {
    int result = 0;
    while (result == 0) {
        result = masked_poll(nullptr, 0, never, mask, o);
    }
    return result;
}

} // namespace

int pause() noexcept {
    return call(
        tendril_shim_index_pause,
        [](hub_core&, io::options& o) {
            o.what = "pause";
            return io::sleep(never, o);
        },
        [] { return libc.pause(); });
}

int sigsuspend(const sigset_t* mask) noexcept {
    return call(
        tendril_shim_index_sigsuspend,
        [&](hub_core&, io::options& o) {
            o.what = "sigsuspend";
            return suspend(mask, o);
        },
        [&] { return libc.sigsuspend(mask); });
}

// sigpause(3): System V names the one signal that is let through, BSD the mask of the first ones.
int __xpg_sigpause(int number) noexcept {
    return call(
        tendril_shim_index___xpg_sigpause,
        [&](hub_core&, io::options& o) {
            sigset_t mask;
            ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
            if (sigdelset(&mask, number) != 0) {
                return -EINVAL;
            }
            o.what = "sigpause";
            return suspend(&mask, o);
        },
        [&] { return libc.__xpg_sigpause(number); });
}

int sigpause(int bits) noexcept {
    return call(
        tendril_shim_index_sigpause,
        [&](hub_core&, io::options& o) {
            sigset_t mask;
            sigemptyset(&mask);
            for (int number = 1; number <= 32; ++number) {
                if ((static_cast<unsigned>(bits) >> (number - 1) & 1U) != 0) {
                    sigaddset(&mask, number);
                }
            }
            o.what = "sigpause";
            return suspend(&mask, o);
        },
        [&] { return libc.sigpause(bits); });
}

int __sigpause(int number_or_bits, int is_number) noexcept {
    return is_number != 0 ? __xpg_sigpause(number_or_bits) : sigpause(number_or_bits);
}

int sigtimedwait(const sigset_t* set, siginfo_t* info, const struct timespec* timeout) noexcept {
    return call(
        tendril_shim_index_sigtimedwait,
        [&](hub_core&, io::options& o) {
            if (timeout != nullptr && !valid(*timeout)) {
                return -EINVAL;
            }
            o.what = "sigtimedwait";
            return wait_for_signal(set, info, deadline_of(timeout), o);
        },
        [&] { return libc.sigtimedwait(set, info, timeout); });
}

int sigwaitinfo(const sigset_t* set, siginfo_t* info) noexcept {
    return call(
        tendril_shim_index_sigwaitinfo,
        [&](hub_core&, io::options& o) {
            o.what = "sigwaitinfo";
            return wait_for_signal(set, info, never, o);
        },
        [&] { return libc.sigwaitinfo(set, info); });
}

// Gives the error as its result and leaves errno alone. Handlers do not end it.
int sigwait(const sigset_t* set, int* number) noexcept {
    return serve(
        tendril_shim_index_sigwait,
        [&](hub_core&, io::options& o) {
            const errno_kept kept;
            o.what = "sigwait";
            const int found = wait_for_signal(set, nullptr, never, o);
            if (found < 0) {
                return -found;
            }
            *number = found;
            return 0;
        },
        [&] { return libc.sigwait(set, number); });
}

} // namespace tendril::detail::shim::ops
