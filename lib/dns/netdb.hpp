// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cstddef>

/// The calls of <netdb.h> that may have to ask a server, as a fiber sees them: each parks the
/// calling fiber where libc would block the thread, and otherwise does what glibc 2.36 does. On a
/// thread without a hub they make one. None throws. `docs/dns.md` lists the deviations.
namespace tendril::detail::netdb {

struct options {
    time_point deadline = never; ///< passed: EAI_SYSTEM or NETDB_INTERNAL with ETIMEDOUT
    bool waited = false;         ///< out: the call parked at least once
};

/// EAI_SYSTEM with errno ECANCELED: the fiber was cancelled or its hub ends. What it returns may be
/// freed by libc's freeaddrinfo as well as by ours, and the other way round.
int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result,
                options& o) noexcept;
void freeaddrinfo(addrinfo* list) noexcept;

int getnameinfo(const sockaddr* address, socklen_t size, char* host, socklen_t host_size,
                char* service, socklen_t service_size, int flags, options& o) noexcept;

/// 0, or an errno with *h_error set; errno too, as libc does. Cancelled: ECANCELED and TRY_AGAIN.
int gethostbyname_r(const char* name, hostent* entry, char* buffer, std::size_t size,
                    hostent** result, int* h_error, options& o) noexcept;
int gethostbyname2_r(const char* name, int family, hostent* entry, char* buffer, std::size_t size,
                     hostent** result, int* h_error, options& o) noexcept;
int gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* entry, char* buffer,
                    std::size_t size, hostent** result, int* h_error, options& o) noexcept;

/// The result stays until the same fiber's next such call. Null: h_errno says why.
hostent* gethostbyname(const char* name, options& o) noexcept;
hostent* gethostbyname2(const char* name, int family, options& o) noexcept;
hostent* gethostbyaddr(const void* address, socklen_t length, int family, options& o) noexcept;

} // namespace tendril::detail::netdb
