// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/fd_table.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tendril::detail::io {

/// What fd is; asked of the kernel once per fd number. `unknown`: no memory, or not open.
fd_kind kind_of(int fd) noexcept;
void remember_kind(int fd, fd_kind kind) noexcept;

inline bool is_socket(fd_kind kind) noexcept {
    return kind == fd_kind::tcp || kind == fd_kind::stream || kind == fd_kind::message;
}

/// What the program asked of fd as far as operations of one direction go: bits of `trait`. Flags
/// and timeouts belong to the description, which several fds and several processes may share; so
/// these are read again after descriptions_changed(), and each time unless fd is a socket that no
/// other process and no other thread can have.
std::uint8_t traits_of(int fd, bool sends) noexcept;

/// Ends hide_nonblock: the description gets the flags that the program believes in.
void uncover_nonblock(int fd) noexcept;

/// SO_RCVTIMEO or SO_SNDTIMEO; zero: none.
std::chrono::microseconds socket_timeout(int fd, int option) noexcept;

/// How many bytes of `size` a blocking read waits for: SO_RCVLOWAT, and at least 1.
std::size_t low_water(int fd, std::size_t size) noexcept;

} // namespace tendril::detail::io
