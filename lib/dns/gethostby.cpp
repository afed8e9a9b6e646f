// SPDX-License-Identifier: BSL-1.0
#include "dns/caught.hpp"
#include "dns/digits_dots.hpp"
#include "dns/h_error.hpp"
#include "dns/host_lookup.hpp"
#include "dns/libc_resolver.hpp"
#include "dns/mode.hpp"
#include "dns/netdb.hpp"
#include "dns/resolver.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>

namespace tendril::detail::netdb {

namespace {

using namespace dns;

/// Room in a caller's buffer, handed out from its start.
class arena {
public:
    arena(char* buffer, std::size_t size)
        : at_(buffer)
        , left_(size) {}

    void* take(std::size_t size, std::size_t alignment) {
        const std::size_t skip = -reinterpret_cast<std::uintptr_t>(at_) & (alignment - 1);
        if (failed_ || left_ < skip || left_ - skip < size) {
            failed_ = true;
            return nullptr;
        }
        char* const out = at_ + skip;
        at_ += skip + size;
        left_ -= skip + size;
        return out;
    }

    char* copy(const void* data, std::size_t size, std::size_t alignment) {
        void* const out = take(size, alignment);
        return out != nullptr ? static_cast<char*>(std::memcpy(out, data, size)) : nullptr;
    }

    char** pointers(std::size_t count) {
        return static_cast<char**>(take(count * sizeof(char*), alignof(char*)));
    }

    bool failed() const noexcept { return failed_; }

private:
    char* at_;
    std::size_t left_;
    bool failed_ = false;
};

/// False: the buffer is too small.
bool fill(hostent& out, const host_entry& host, char* buffer, std::size_t size) {
    arena room(buffer, size);
    out.h_addrtype = host.addresses.front().family;
    out.h_length = static_cast<int>(host.addresses.front().size());
    out.h_addr_list = room.pointers(host.addresses.size() + 1);
    out.h_aliases = room.pointers(host.aliases.size() + 1);
    if (room.failed()) {
        return false;
    }
    for (std::size_t i = 0; i < host.addresses.size(); ++i) {
        const ip_address& a = host.addresses[i];
        out.h_addr_list[i] = room.copy(a.bytes.data(), a.size(), alignof(std::uint32_t));
    }
    for (std::size_t i = 0; i < host.aliases.size(); ++i) {
        out.h_aliases[i] = room.copy(host.aliases[i].c_str(), host.aliases[i].size() + 1, 1);
    }
    out.h_addr_list[host.addresses.size()] = nullptr;
    out.h_aliases[host.aliases.size()] = nullptr;
    out.h_name = room.copy(host.name.c_str(), host.name.size() + 1, 1);
    return !room.failed();
}

/// What glibc's wrapper around the sources returns for their last word.
int code_of(const host_result& h) {
    switch (h.status) {
    case source_status::success:
    case source_status::not_found:
        return 0;
    case source_status::try_again:
    case source_status::unavailable:
        break;
    }
    if (h.h_error == NETDB_INTERNAL) {
        return h.error;
    }
    return h.h_error == TRY_AGAIN || h.status == source_status::try_again ? EAGAIN : errno;
}

int deliver(const host_result& h, hostent* entry, char* buffer, std::size_t size, hostent** result,
            int* h_error) {
    *result = nullptr;
    int code = code_of(h);
    *h_error = h.h_error;
    if (code == ECANCELED) {
        *h_error = TRY_AGAIN; // of the documented codes the one that a program can act on
    }
    if (h.status == source_status::success) {
        if (fill(*entry, h.host, buffer, size)) {
            *result = entry;
        } else {
            *h_error = NETDB_INTERNAL;
            code = ERANGE;
        }
    }
    errno = code;
    return code;
}

host_result find_by_name(const char* name, int family, time_point deadline) {
    host_result h;
    if (numeric_host(name, family, h)) {
        return h;
    }
    h.libc_needed = mode() != resolver_mode::ares;
    if (!h.libc_needed) {
        h = find_host(name, family, lookup_form::one_family, deadline);
    }
    return h.libc_needed ? libc_gethostbyname(name, family, deadline) : h;
}

host_result find_by_address(const ip_address& address, time_point deadline) {
    host_result h;
    h.libc_needed = mode() != resolver_mode::ares;
    if (!h.libc_needed) {
        h = find_host(address, deadline);
    }
    return h.libc_needed ? libc_gethostbyaddr(address, deadline) : h;
}

host_result failure(int h_error, int error) {
    host_result h;
    h.h_error = h_error;
    h.error = error;
    return h;
}

/// Runs the search; what it throws becomes a result.
template <typename Search>
host_result guarded(options& o, Search search) noexcept {
    try {
        hub_core& hub = hub_core::current();
        const std::uint64_t switches = hub.switches();
        host_result h = search();
        o.waited = hub.switches() != switches;
        return h;
    } catch (const std::exception& e) {
        return failure(NETDB_INTERNAL, dns::errno_of(e));
    }
}

bool read_address(const void* address, socklen_t length, int family, ip_address& out) {
    if (!(family == AF_INET && length >= sizeof(in_addr)) &&
        !(family == AF_INET6 && length >= sizeof(in6_addr))) {
        return false;
    }
    out.family = family;
    std::memcpy(out.bytes.data(), address, out.size());
    return true;
}

/// Calls `_r` with the fiber's own buffer, as large as it takes.
template <typename Call>
hostent* with_static_result(Call call) noexcept {
    try {
        hub_core& hub = hub_core::current();
        static_host& own = resolver::of(hub).result_of(hub.running());
        int h_error = 0;
        hostent* result = nullptr;
        while (call(&own.entry, own.buffer.data(), own.buffer.size(), &result, &h_error) ==
                   ERANGE &&
               h_error == NETDB_INTERNAL) {
            own.buffer.resize(own.buffer.size() * 2);
        }
        if (h_error != 0) {
            set_h_errno(hub, h_error);
        }
        return result;
    } catch (const std::exception& e) {
        errno = dns::errno_of(e);
        h_errno = NETDB_INTERNAL;
        return nullptr;
    }
}

} // namespace

int gethostbyname_r(const char* name, hostent* entry, char* buffer, std::size_t size,
                    hostent** result, int* h_error, options& o) noexcept {
    return gethostbyname2_r(name, AF_INET, entry, buffer, size, result, h_error, o);
}

int gethostbyname2_r(const char* name, int family, hostent* entry, char* buffer, std::size_t size,
                     hostent** result, int* h_error, options& o) noexcept {
    if (family != AF_INET && family != AF_INET6) {
        *result = nullptr;
        *h_error = NO_DATA;
        return errno = EAFNOSUPPORT;
    }
    const host_result h = guarded(o, [&] { return find_by_name(name, family, o.deadline); });
    return deliver(h, entry, buffer, size, result, h_error);
}

int gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* entry, char* buffer,
                    std::size_t size, hostent** result, int* h_error, options& o) noexcept {
    *result = nullptr;
    if (length == sizeof(in6_addr) && std::memcmp(address, &in6addr_any, sizeof(in6_addr)) == 0) {
        *h_error = HOST_NOT_FOUND;
        return ENOENT;
    }
    ip_address a;
    if (!read_address(address, length, family, a)) {
        *h_error = NETDB_INTERNAL;
        return errno = EAFNOSUPPORT;
    }
    const host_result h = guarded(o, [&] { return find_by_address(a, o.deadline); });
    return deliver(h, entry, buffer, size, result, h_error);
}

hostent* gethostbyname(const char* name, options& o) noexcept {
    return gethostbyname2(name, AF_INET, o);
}

hostent* gethostbyname2(const char* name, int family, options& o) noexcept {
    return with_static_result([&](hostent* e, char* b, std::size_t s, hostent** r, int* h) {
        return gethostbyname2_r(name, family, e, b, s, r, h, o);
    });
}

hostent* gethostbyaddr(const void* address, socklen_t length, int family, options& o) noexcept {
    return with_static_result([&](hostent* e, char* b, std::size_t s, hostent** r, int* h) {
        return gethostbyaddr_r(address, length, family, e, b, s, r, h, o);
    });
}

} // namespace tendril::detail::netdb
