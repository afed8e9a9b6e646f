// SPDX-License-Identifier: BSL-1.0
//
// Waiting for requests that libc's own threads carry out: files (aio(7)) and names
// (getaddrinfo_a(3)). libc does not tell us when one is done, so it is asked again and again.
#include "io/retry.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/time_spec.hpp"

#include <algorithm>
#include <chrono>

namespace tendril::detail::shim::ops {

namespace {

constexpr timespec at_once = {0, 0};
constexpr io::retry_pauses pauses{std::chrono::microseconds(100), std::chrono::microseconds(10000)};

/// 0 once `done()`; or how the wait ended.
template <typename Done>
int wait_for(hub_core& hub, io::options& o, Done done) noexcept {
    return io::try_until_free(
        hub, -1, o, [&] { return done() ? 0 : -EAGAIN; }, interruption::always, pauses);
}

/// One is done, or there is an error to be told.
bool any_is_done(const struct aiocb* const* list, int count) noexcept {
    return libc.aio_suspend(list, count, &at_once) == 0 || errno != EAGAIN;
}

bool any_is_done(const struct gaicb* const* list, int count) noexcept {
    bool waits = false;
    for (int i = 0; i < count; ++i) {
        if (list[i] != nullptr) {
            waits = ::gai_error(const_cast<gaicb*>(list[i])) == EAI_INPROGRESS;
            if (!waits) {
                return true;
            }
        }
    }
    return !waits;
}

/// Of a call that gives EAI codes.
int code_of(int result) noexcept {
    switch (result) {
    case -EINTR:
        return EAI_INTR;
    default:
        errno = -result;
        return EAI_SYSTEM;
    }
}

} // namespace

// --- files ---------------------------------------------------------------------------------------

int aio_suspend(const struct aiocb* const* list, int count,
                const struct timespec* timeout) noexcept {
    return call(
        tendril_shim_index_aio_suspend,
        [&](hub_core& hub, io::options& o) {
            if (hub.has_nothing_else()) {
                return negative(libc.aio_suspend(list, count, timeout));
            }
            o.what = "aio_suspend";
            o.deadline = deadline_of(timeout);
            const int end = wait_for(hub, o, [&] { return any_is_done(list, count); });
            return end == 0            ? negative(libc.aio_suspend(list, count, &at_once))
                   : end == -ETIMEDOUT ? -EAGAIN
                                       : end;
        },
        [&] { return libc.aio_suspend(list, count, timeout); });
}

// With LIO_WAIT libc ignores `event`, waits also for what it could take when it refused some, and
// gives EIO if one failed.
int lio_listio(int mode, struct aiocb* const* list, int count, struct sigevent* event) noexcept {
    const auto original = [&] { return libc.lio_listio(mode, list, count, event); };
    return call(
        tendril_shim_index_lio_listio,
        [&](hub_core& hub, io::options& o) {
            if (mode != LIO_WAIT || hub.has_nothing_else()) {
                return negative(original());
            }
            o.what = "lio_listio";
            bool failed = libc.lio_listio(LIO_NOWAIT, list, count, nullptr) != 0;
            if (failed && errno == EINVAL) {
                return -EINVAL;
            }
            for (int i = 0; i < count; ++i) {
                const struct aiocb* const one = list[i];
                if (one == nullptr || one->aio_lio_opcode == LIO_NOP) {
                    continue;
                }
                const int end = wait_for(hub, o, [&] { return any_is_done(&one, 1); });
                if (end != 0) {
                    return end;
                }
                failed = failed || ::aio_error(one) != 0;
            }
            return failed ? -EIO : 0;
        },
        original);
}

// --- names ---------------------------------------------------------------------------------------

int gai_suspend(const struct gaicb* const* list, int count,
                const struct timespec* timeout) noexcept {
    return serve(
        tendril_shim_index_gai_suspend,
        [&](hub_core& hub, io::options& o) {
            if (hub.has_nothing_else()) {
                return libc.gai_suspend(list, count, timeout);
            }
            o.as_program = true;
            o.what = "gai_suspend";
            o.deadline = deadline_of(timeout);
            const int end = wait_for(hub, o, [&] { return any_is_done(list, count); });
            return end == 0 || end == -ETIMEDOUT ? libc.gai_suspend(list, count, &at_once)
                                                 : code_of(end);
        },
        [&] { return libc.gai_suspend(list, count, timeout); });
}

int getaddrinfo_a(int mode, struct gaicb** list, int count, struct sigevent* event) noexcept {
    const auto original = [&] { return libc.getaddrinfo_a(mode, list, count, event); };
    return serve(
        tendril_shim_index_getaddrinfo_a,
        [&](hub_core& hub, io::options& o) {
            if (mode != GAI_WAIT || hub.has_nothing_else()) {
                return original();
            }
            o.what = "getaddrinfo_a"; // no signal ends it
            const int result = libc.getaddrinfo_a(GAI_NOWAIT, list, count, nullptr);
            for (int i = 0; i < count; ++i) {
                if (list[i] == nullptr) {
                    continue;
                }
                const int end =
                    wait_for(hub, o, [&] { return ::gai_error(list[i]) != EAI_INPROGRESS; });
                if (end != 0) {
                    return code_of(end);
                }
            }
            return result;
        },
        original);
}

} // namespace tendril::detail::shim::ops
