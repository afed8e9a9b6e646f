// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"

/// What an accept does when the process, or the system, is out of fds or socket memory. The
/// connection stays in the listener's queue and keeps it readable, so trying again at once would
/// spin: it waits for a moment, or until a socket is closed here.
namespace tendril::detail::net {

/// Errors that say so: EMFILE, ENFILE, ENOBUFS, ENOMEM.
bool is_shortage(int error) noexcept;

/// Parks the calling fiber until `until`, or until closed() may have ended the shortage. 0, or
/// -EBADF: `listener` itself was closed meanwhile, and its number may be another's; -ECANCELED.
int wait_for_fd(int listener, time_point until) noexcept;

/// Around every close: `fd` is about to be closed, and was. Any thread.
void closing(int fd) noexcept;
void closed() noexcept;

} // namespace tendril::detail::net
