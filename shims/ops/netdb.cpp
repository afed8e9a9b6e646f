// SPDX-License-Identifier: BSL-1.0
//
// freeaddrinfo is libc's own: lib/dns allocates as libc does.

#include "dns/netdb.hpp"

#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"

namespace tendril::detail::shim::ops {

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints,
                struct addrinfo** result) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_getaddrinfo,
        [&](hub_core&, netdb::options& o) {
            return netdb::getaddrinfo(node, service, hints, result, o);
        },
        [&] { return libc.getaddrinfo(node, service, hints, result); });
}

int getnameinfo(const struct sockaddr* address, socklen_t size, char* host, socklen_t host_room,
                char* service, socklen_t service_room, int flags) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_getnameinfo,
        [&](hub_core&, netdb::options& o) {
            return netdb::getnameinfo(address, size, host, host_room, service, service_room, flags,
                                      o);
        },
        [&] {
            return libc.getnameinfo(address, size, host, host_room, service, service_room, flags);
        });
}

struct hostent* gethostbyname(const char* name) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_gethostbyname,
        [&](hub_core&, netdb::options& o) { return netdb::gethostbyname(name, o); },
        [&] { return libc.gethostbyname(name); });
}

struct hostent* gethostbyname2(const char* name, int family) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_gethostbyname2,
        [&](hub_core&, netdb::options& o) { return netdb::gethostbyname2(name, family, o); },
        [&] { return libc.gethostbyname2(name, family); });
}

struct hostent* gethostbyaddr(const void* address, socklen_t size, int family) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_gethostbyaddr,
        [&](hub_core&, netdb::options& o) {
            return netdb::gethostbyaddr(address, size, family, o);
        },
        [&] { return libc.gethostbyaddr(address, size, family); });
}

int gethostbyname_r(const char* name, struct hostent* host, char* buffer, size_t room,
                    struct hostent** result, int* error) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_gethostbyname_r,
        [&](hub_core&, netdb::options& o) {
            return netdb::gethostbyname_r(name, host, buffer, room, result, error, o);
        },
        [&] { return libc.gethostbyname_r(name, host, buffer, room, result, error); });
}

int gethostbyname2_r(const char* name, int family, struct hostent* host, char* buffer, size_t room,
                     struct hostent** result, int* error) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_gethostbyname2_r,
        [&](hub_core&, netdb::options& o) {
            return netdb::gethostbyname2_r(name, family, host, buffer, room, result, error, o);
        },
        [&] { return libc.gethostbyname2_r(name, family, host, buffer, room, result, error); });
}

int gethostbyaddr_r(const void* address, socklen_t size, int family, struct hostent* host,
                    char* buffer, size_t room, struct hostent** result, int* error) noexcept {
    return serve<netdb::options>(
        tendril_shim_index_gethostbyaddr_r,
        [&](hub_core&, netdb::options& o) {
            return netdb::gethostbyaddr_r(address, size, family, host, buffer, room, result, error,
                                          o);
        },
        [&] {
            return libc.gethostbyaddr_r(address, size, family, host, buffer, room, result, error);
        });
}

} // namespace tendril::detail::shim::ops
