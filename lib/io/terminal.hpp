// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/iov_cursor.hpp"
#include "io/operations.hpp"

namespace tendril::detail::io {

/// Terminals know neither MSG_DONTWAIT nor RWF_NOWAIT, and their descriptions are shared with the
/// shell. Both: -ENOTTY, with nothing done, if fd is no terminal (any more).

/// Waits as termios(3) says: for a line; or for VMIN bytes, or VTIME. Then reads what is there. A
/// process that shares the terminal and takes that away in between blocks the hub until the next
/// input.
ssize_t read_terminal(int fd, const iovec* iov, int count, options& o) noexcept;

/// Worker threads write, when there seems to be room, at most 4096 bytes at once: how much room
/// there is nobody tells, and '\n' may become two bytes.
ssize_t write_terminal(int fd, const iovec* iov, int count, options& o) noexcept;

} // namespace tendril::detail::io
