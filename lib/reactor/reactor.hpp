// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"

#include <cstdint>

namespace tendril::detail {

/// What happened on an fd since its last report: bits of `events`.
namespace readiness {
inline constexpr std::uint32_t in = 1;
inline constexpr std::uint32_t out = 2;
inline constexpr std::uint32_t pri = 4;
inline constexpr std::uint32_t rdhup = 8;
inline constexpr std::uint32_t hup = 16;
inline constexpr std::uint32_t err = 32;
} // namespace readiness

/// What a hub sleeps in. One reactor per hub; every member is called on the hub's thread, except
/// interrupt() and unwatch().
///
/// The contract is *edges by token*: after watch(), each change of readiness is reported at least
/// once with the caller's token. Reports may be spurious or late (they may arrive after unwatch()),
/// so a token is a number that the caller can check for being current, never a pointer (and never
/// all ones). That is what epoll gives with EPOLLET, and what a completion backend gives with
/// multishot polls, whose last completion may follow the cancellation.
///
/// An implementation must not call back except from poll(), must not park, and must not call
/// anything that a shim replaces.
class reactor {
public:
    class listener {
    public:
        virtual void on_ready(std::uint64_t token, std::uint32_t events) noexcept = 0;

        /// on_ready() with this token follows: time to load what it looks at, for all of a batch at
        /// once. Called for all, and `again` for all, because what to load is found step by step.
        virtual void prefetch(std::uint64_t token, bool again) noexcept {
            (void)token;
            (void)again;
        }

        /// Somebody has closed or replaced what the reactor itself is made of; it has made itself
        /// anew, and every watch is to be made again.
        virtual void on_lost() noexcept {}

    protected:
        ~listener() = default;
    };

    virtual ~reactor() = default;

    /// This thread is the owner from now on; the first is who made it, or forked.
    virtual void attached() noexcept {}

    virtual time_point now() noexcept = 0;

    /// Starts reporting edges of `interest` (hup and err are always reported) for fd. If the fd is
    /// ready already, an edge is reported. 0 or an errno: EPERM means an fd that is always ready
    /// (regular files, directories), EEXIST one that is watched, ENOMEM/ENOSPC exhaustion.
    virtual int watch(int fd, std::uint64_t token, std::uint32_t interest) noexcept = 0;

    /// Replaces the interest and token of a watched fd, and reports what is ready now as a new
    /// edge. ENOENT: the fd is not watched any more (it was closed behind our back).
    virtual int rewatch(int fd, std::uint64_t token, std::uint32_t interest) noexcept = 0;

    /// Stops reporting; must precede the close of an fd whose description may live on elsewhere.
    /// Any thread, because whoever closes an fd must withdraw it from every hub first.
    virtual int unwatch(int fd) noexcept = 0;

    /// Drops every watch, also those of fds that were closed behind our back and can no longer be
    /// named, and starts empty. May be called from on_ready(). 0 or an errno.
    virtual int reset() noexcept = 0;

    /// Delivers what is ready; if nothing is, waits until something is, `deadline`, or interrupt().
    /// `time_point::min()` never waits, `never` waits without limit. True: more may be ready
    /// already.
    virtual bool poll(time_point deadline, listener& to) noexcept = 0;

    /// Makes the present or next poll() return soon. Any thread; async-signal-safe.
    virtual void interrupt() noexcept = 0;

    /// In the child of a fork: drops everything inherited without touching the parent's
    /// registrations, and starts empty. What it lacks the resources for it makes later.
    virtual void forked() = 0;
};

} // namespace tendril::detail
