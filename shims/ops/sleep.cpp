// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/time_spec.hpp"

#include <sched.h>
#include <threads.h>

namespace tendril::detail::shim::ops {

namespace {

using std::chrono::nanoseconds;

/// A clock that can be set, or that goes on while the machine is suspended, is looked at this
/// often.
constexpr nanoseconds slice = std::chrono::milliseconds(500);

/// 0, -EINTR or -ECANCELED; `left` then gets what was left.
int sleep_for(nanoseconds duration, nanoseconds* left, io::options& o) noexcept {
    o.as_program = true;
    const time_point until = deadline_in(duration);
    const int result = io::sleep(until, o);
    if (result != 0 && left != nullptr) {
        *left = left_until(until);
    }
    return result;
}

int sleep_for(const timespec& duration, timespec* left, io::options& o) noexcept {
    if (!valid(duration)) {
        return -EINVAL;
    }
    nanoseconds rest{};
    const int result = sleep_for(duration_of(duration), &rest, o);
    if (result != 0 && left != nullptr) {
        *left = spec_of(rest);
    }
    return result;
}

/// Until `clock` shows `until`, whatever is done to it meanwhile.
int sleep_until(clockid_t clock, const timespec& until, io::options& o) noexcept {
    o.as_program = true;
    for (;;) {
        timespec now;
        if (clock_gettime(clock, &now) != 0) {
            return -errno;
        }
        const nanoseconds left = duration_of(until) - duration_of(now);
        if (left.count() <= 0) {
            return 0;
        }
        // The last slice has to be exact, so it must not be a short one that begins late.
        const int result = io::sleep(deadline_in(left > slice ? slice : left), o);
        if (result != 0) {
            return result;
        }
    }
}

/// The hub's own clock.
bool steady(clockid_t clock) noexcept {
    return clock == CLOCK_MONOTONIC;
}

bool known(clockid_t clock) noexcept {
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_TAI;
}

} // namespace

unsigned int sleep(unsigned int seconds) noexcept {
    return serve(
        tendril_shim_index_sleep,
        [&](hub_core&, io::options& o) {
            nanoseconds left{};
            int end = 0;
            {
                const errno_kept kept;
                end = sleep_for(std::chrono::seconds(seconds), &left, o);
            }
            if (end == 0) {
                return 0U;
            }
            errno = -end;
            // libc forgets about the rest of a second that a signal cuts short.
            const auto rest = end == -EINTR ? std::chrono::floor<std::chrono::seconds>(left)
                                            : std::chrono::ceil<std::chrono::seconds>(left);
            return static_cast<unsigned int>(rest.count());
        },
        [&] { return libc.sleep(seconds); });
}

int usleep(useconds_t microseconds) noexcept {
    return call(
        tendril_shim_index_usleep,
        [&](hub_core&, io::options& o) {
            return sleep_for(std::chrono::microseconds(microseconds), nullptr, o);
        },
        [&] { return libc.usleep(microseconds); });
}

int nanosleep(const struct timespec* duration, struct timespec* left) noexcept {
    return call(
        tendril_shim_index_nanosleep,
        [&](hub_core&, io::options& o) { return sleep_for(*duration, left, o); },
        [&] { return libc.nanosleep(duration, left); });
}

// Gives the error as its result and leaves errno alone.
int clock_nanosleep(clockid_t clock, int flags, const struct timespec* duration,
                    struct timespec* left) noexcept {
    const auto original = [&] { return libc.clock_nanosleep(clock, flags, duration, left); };
    return serve(
        tendril_shim_index_clock_nanosleep,
        [&](hub_core&, io::options& o) {
            const errno_kept kept;
            if (!known(clock)) {
                return original();
            }
            if (!valid(*duration)) {
                return EINVAL;
            }
            if ((flags & TIMER_ABSTIME) == 0) {
                return -sleep_for(*duration, left, o);
            }
            o.as_program = true;
            return steady(clock) ? -io::sleep(time_point(duration_of(*duration)), o)
                                 : -sleep_until(clock, *duration, o);
        },
        original);
}

int thrd_sleep(const struct timespec* duration, struct timespec* left) noexcept {
    return serve(
        tendril_shim_index_thrd_sleep,
        [&](hub_core&, io::options& o) {
            const errno_kept kept;
            // C11: -1 is a signal's, and any other error another negative number.
            const int end = sleep_for(*duration, left, o);
            return end == 0 ? 0 : end == -EINTR ? -1 : -2;
        },
        [&] { return libc.thrd_sleep(duration, left); });
}

int sched_yield() noexcept {
    return call(
        tendril_shim_index_sched_yield,
        [](hub_core& hub, io::options&) {
            hub.yield();
            return 0;
        },
        [] { return libc.sched_yield(); });
}

} // namespace tendril::detail::shim::ops
