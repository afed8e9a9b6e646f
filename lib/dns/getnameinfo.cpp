// SPDX-License-Identifier: BSL-1.0
#include "dns/caught.hpp"
#include "dns/host_lookup.hpp"
#include "dns/libc_resolver.hpp"
#include "dns/mode.hpp"
#include "dns/netdb.hpp"
#include "dns/services.hpp"
#include "hub/hub_core.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/un.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

namespace tendril::detail::netdb {

namespace {

using namespace dns;

constexpr int ask_libc = 1; // beside EAI_*, which are negative

constexpr int valid_flags = NI_NUMERICHOST | NI_NUMERICSERV | NI_NOFQDN | NI_NAMEREQD | NI_DGRAM |
                            NI_IDN | 192 /* formerly NI_IDN_… */;

/// A buffer of the caller's.
struct destination {
    char* text;
    socklen_t size;

    bool wanted() const noexcept { return text != nullptr && size > 0; }

    int put(std::string_view s) const noexcept {
        if (s.size() + 1 > size) {
            return EAI_OVERFLOW;
        }
        std::memcpy(text, s.data(), s.size());
        text[s.size()] = '\0';
        return 0;
    }
};

ip_address address_of(const sockaddr* sa) noexcept {
    if (sa->sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, sa, sizeof v4);
        return ip_address::v4(v4.sin_addr);
    }
    sockaddr_in6 v6;
    std::memcpy(&v6, sa, sizeof v6);
    return ip_address::v6(v6.sin6_addr, v6.sin6_scope_id);
}

std::string numeric_text(const ip_address& a) {
    char text[INET6_ADDRSTRLEN];
    inet_ntop(a.family, a.bytes.data(), text, sizeof text);
    std::string out = text;
    if (a.family == AF_INET6 && a.scope != 0) {
        in6_addr v6;
        std::memcpy(&v6, a.bytes.data(), sizeof v6);
        char interface[IF_NAMESIZE];
        const bool local = IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_MC_LINKLOCAL(&v6);
        const bool named = local && if_indextoname(a.scope, interface) != nullptr;
        out += '%' + (named ? std::string(interface) : std::to_string(a.scope));
    }
    return out;
}

int put_address(const sockaddr* sa, const destination& to, int flags, time_point deadline) {
    const ip_address address = address_of(sa);
    if ((flags & NI_NUMERICHOST) == 0) {
        ip_address plain = address;
        plain.scope = 0;
        const bool any = plain == ip_address::v6(in6addr_any);
        host_result h;
        h.h_error = HOST_NOT_FOUND;
        if (!any) {
            h = find_host(plain, deadline);
        }
        if (h.libc_needed) {
            return ask_libc;
        }
        if (h.status == source_status::success) {
            return to.put(h.host.name);
        }
        if (h.h_error == NETDB_INTERNAL) {
            errno = h.error;
            return EAI_SYSTEM;
        }
        if (h.h_error == TRY_AGAIN) {
            return EAI_AGAIN;
        }
    }
    return (flags & NI_NAMEREQD) != 0 ? EAI_NONAME : to.put(numeric_text(address));
}

int put_host(const sockaddr* sa, const destination& to, int flags, time_point deadline) {
    if (sa->sa_family != AF_LOCAL) {
        return put_address(sa, to, flags, deadline);
    }
    utsname self;
    if ((flags & NI_NUMERICHOST) == 0 && uname(&self) == 0) {
        return to.put(self.nodename);
    }
    return (flags & NI_NAMEREQD) != 0 ? EAI_NONAME : to.put("localhost");
}

int put_service(const sockaddr* sa, socklen_t size, const destination& to, int flags) {
    if (sa->sa_family == AF_LOCAL) {
        const char* path = reinterpret_cast<const sockaddr_un*>(sa)->sun_path;
        return to.put({path, ::strnlen(path, size - offsetof(sockaddr_un, sun_path))});
    }
    sockaddr_in v4; // the port is at the same place in both families
    std::memcpy(&v4, sa, sizeof v4);
    if ((flags & NI_NUMERICSERV) == 0) {
        if (const auto name = service_name(v4.sin_port, (flags & NI_DGRAM) != 0 ? "udp" : "tcp")) {
            return to.put(*name);
        }
    }
    return to.put(std::to_string(ntohs(v4.sin_port)));
}

int check(const sockaddr* sa, socklen_t size, const destination& host, const destination& service,
          int flags) {
    if ((flags & ~valid_flags) != 0) {
        return EAI_BADFLAGS;
    }
    if (sa == nullptr || size < sizeof(sa_family_t)) {
        return EAI_FAMILY;
    }
    if ((flags & NI_NAMEREQD) != 0 && host.text == nullptr && service.text == nullptr) {
        return EAI_NONAME;
    }
    switch (sa->sa_family) {
    case AF_LOCAL:
        return size < offsetof(sockaddr_un, sun_path) ? EAI_FAMILY : 0;
    case AF_INET:
        return size < sizeof(sockaddr_in) ? EAI_FAMILY : 0;
    case AF_INET6:
        return size < sizeof(sockaddr_in6) ? EAI_FAMILY : 0;
    default:
        return EAI_FAMILY;
    }
}

int resolve(const sockaddr* sa, socklen_t size, const destination& host, const destination& service,
            int flags, time_point deadline) {
    if (const int code = check(sa, size, host, service, flags); code != 0) {
        return code;
    }
    if (host.wanted()) {
        const bool by_name = sa->sa_family != AF_LOCAL && (flags & NI_NUMERICHOST) == 0;
        // NI_NOFQDN depends on what libc once found to be this host's domain, NI_IDN on libidn2.
        if (by_name && (mode() != resolver_mode::ares || (flags & (NI_NOFQDN | NI_IDN)) != 0)) {
            return ask_libc;
        }
        if (const int code = put_host(sa, host, flags, deadline); code != 0) {
            return code;
        }
    }
    return service.wanted() ? put_service(sa, size, service, flags) : 0;
}

} // namespace

int getnameinfo(const sockaddr* address, socklen_t size, char* host, socklen_t host_size,
                char* service, socklen_t service_size, int flags, options& o) noexcept {
    try {
        hub_core& hub = hub_core::current();
        const std::uint64_t switches = hub.switches();
        int code =
            resolve(address, size, {host, host_size}, {service, service_size}, flags, o.deadline);
        if (code == ask_libc) {
            code = libc_getnameinfo(address, size, host, host_size, service, service_size, flags,
                                    o.deadline);
        }
        o.waited = hub.switches() != switches;
        return code;
    } catch (const std::bad_alloc&) {
        return EAI_MEMORY;
    } catch (const std::exception& e) {
        errno = dns::errno_of(e);
        return EAI_SYSTEM;
    }
}

} // namespace tendril::detail::netdb
