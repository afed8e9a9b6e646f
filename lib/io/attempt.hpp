// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/iov_cursor.hpp"

#include <cerrno>
#include <cstddef>
#include <sys/types.h>
#include <sys/uio.h>

// One attempt at a transfer, on anything but a socket or a terminal.
namespace tendril::detail::io {

constexpr off_t current_position = -1;

/// What an attempt gives for a file whose call may take as long as its disk.
constexpr ssize_t needs_disk = -EXFULL;

/// The kernel transfers no more in one call: read(2), sendfile(2), "NOTES".
constexpr std::size_t most_at_once = 0x7ffff000;

/// A file's bytes that are copied here: for more, some 0.2 ms, other fibers would wait too long.
constexpr std::size_t most_in_hub = std::size_t{1} << 20;

/// They do not block: the kernel's result, -EAGAIN, or needs_disk.
ssize_t try_read(int fd, const iovec* iov, int count) noexcept;
ssize_t try_write(int fd, const iov_cursor& rest) noexcept;

/// More than most_in_hub, of a file.
bool is_much(int fd, std::size_t size) noexcept;

/// What of a read is tried here: all of it, or how much begins; that may be all there is.
/// @returns null for none: it needs_disk.
const iovec* part_to_try(int fd, const iovec* iov, int count, iovec& beginning) noexcept;

/// The answer of what does not know RWF_NOWAIT.
inline bool refuses_nowait(ssize_t result) noexcept {
    return result == -EOPNOTSUPP || result == -ENOSYS;
}

} // namespace tendril::detail::io
