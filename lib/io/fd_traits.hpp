// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/fd_table.hpp"

#include <chrono>
#include <cstdint>

namespace tendril::detail::io {

/// What fd is; asked of the kernel once per fd number. `unknown`: no memory, or not open.
fd_kind kind_of(int fd) noexcept;
void remember_kind(int fd, fd_kind kind) noexcept;

inline bool is_socket(fd_kind kind) noexcept {
    return kind == fd_kind::tcp || kind == fd_kind::stream || kind == fd_kind::message;
}

/// What the program asked of fd: bits of `trait`. Flags belong to the description, which several
/// fds and several processes may share; so these are read again after descriptions_changed(), and
/// each time unless fd is a socket.
std::uint8_t traits_of(int fd) noexcept;

/// SO_RCVTIMEO or SO_SNDTIMEO; zero: none.
std::chrono::microseconds socket_timeout(int fd, int option) noexcept;

} // namespace tendril::detail::io
