// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace tendril::detail::io {

/// True if the program gave the socket a negative SO_RCVTIMEO or SO_SNDTIMEO, which Linux takes for
/// 'never wait', and shows as 0 like 'for ever' (sock_set_timeout in net/core/sock.c).
bool never_waits(int fd, int option) noexcept;

/// The socket's number among all sockets ever made (SO_COOKIE); 0: not a socket, or Linux < 4.12.
std::uint64_t cookie_of(int fd) noexcept;

} // namespace tendril::detail::io
