// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "net/socket.hpp"

#include <netdb.h>

#include <vector>

/// TCP by fds.
namespace tendril::detail::net {

struct attempt {
    socket_address to;
    int error = 0; ///< an errno; 0: this one was taken
};

/// Tries the addresses in order until one answers: an fd, or the last error. Each gets an equal
/// share of the time that is left. May throw std::bad_alloc, for `tried`; then nothing is open.
int connect(const addrinfo* list, time_point deadline, std::vector<attempt>& tried);

struct listen_flags {
    int backlog;
    bind_flags bind;
};

/// The first address of the list that can be listened on: an fd, or the last error.
int listen(const addrinfo* list, const listen_flags& flags) noexcept;

} // namespace tendril::detail::net
