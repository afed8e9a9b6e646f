// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "bench/support/measure.hpp"

#include <cstddef>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

inline constexpr std::size_t echo_message = 64; ///< bytes
inline constexpr std::size_t echo_buffer = 1024;

/// Listens on a port of 127.0.0.1 that the kernel chooses, and prints it for the load generator.
inline int echo_listener(int extra_flags) {
    raise_descriptor_limit();
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | extra_flags, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(fd, SOMAXCONN) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        fail("listen on 127.0.0.1");
    }
    report("port", ntohs(address.sin_port), "-");
    return fd;
}

} // namespace bench
