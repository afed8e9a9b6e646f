// SPDX-License-Identifier: BSL-1.0
#include "dns/address_list.hpp"
#include "dns/address_order.hpp"
#include "dns/caught.hpp"
#include "dns/digits_dots.hpp"
#include "dns/host_lookup.hpp"
#include "dns/libc_resolver.hpp"
#include "dns/mode.hpp"
#include "dns/netdb.hpp"
#include "dns/socket_types.hpp"
#include "hub/hub_core.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace tendril::detail::netdb {

namespace {

using namespace dns;

constexpr int ask_libc = 1; // beside EAI_*, which are negative: libc must do all of it

constexpr int valid_flags = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_ADDRCONFIG |
                            AI_V4MAPPED | AI_IDN | AI_CANONIDN | 0x300 /* formerly AI_IDN_… */ |
                            AI_NUMERICSERV | AI_ALL;

/// What the caller asked for, and what was found for it.
struct request {
    const char* node;
    addrinfo hints;
    time_point deadline;
    std::vector<ip_address> addresses{};
    std::optional<std::string> canonical{};
    bool found_ipv6 = false;

    bool has(int flag) const { return (hints.ai_flags & flag) != 0; }
};

// ------------------------------------------------------------------------------ without a lookup

void local_addresses(request& r) {
    const bool passive = r.has(AI_PASSIVE);
    if (r.hints.ai_family != AF_INET) {
        r.addresses.push_back(ip_address::v6(passive ? in6addr_any : in6addr_loopback));
    }
    if (r.hints.ai_family != AF_INET6) {
        r.addresses.push_back(ip_address::v4({passive ? INADDR_ANY : htonl(INADDR_LOOPBACK)}));
    }
}

/// 0 with an address, 0 without: it is a name; or EAI_*.
int numeric_address(request& r) {
    ip_address a;
    const numeric_result kind = parse_numeric(r.node, a);
    if (kind == numeric_result::not_numeric) {
        return r.has(AI_NUMERICHOST) ? EAI_NONAME : 0;
    }
    if (r.hints.ai_family != AF_UNSPEC && a.family != r.hints.ai_family) {
        if (a.family == AF_INET && r.has(AI_V4MAPPED)) {
            a = a.mapped();
        } else if (a.family == AF_INET6 && a.is_mapped()) {
            a = a.unmapped();
        } else {
            return EAI_ADDRFAMILY;
        }
    }
    if (kind == numeric_result::bad_scope) {
        return EAI_NONAME;
    }
    r.addresses.push_back(a);
    return 0;
}

// -------------------------------------------------------------------------------- with a lookup

int system_error(const host_result& h) {
    errno = h.error;
    return EAI_SYSTEM;
}

/// glibc's short way for IPv4 without a canonical name, whose error codes differ.
int find_ipv4(request& r) {
    host_result h;
    if (!numeric_host(r.node, AF_INET, h)) {
        h = find_host(r.node, AF_INET, lookup_form::one_family, r.deadline);
    }
    if (h.libc_needed) {
        return ask_libc;
    }
    switch (h.status) {
    case source_status::success:
        r.addresses = std::move(h.host.addresses);
        return 0;
    case source_status::not_found:
        return h.h_error == NO_DATA ? EAI_NODATA : EAI_NONAME;
    default:
        break;
    }
    if (h.h_error == NETDB_INTERNAL) {
        return system_error(h);
    }
    if (h.h_error == HOST_NOT_FOUND) {
        return EAI_NONAME; // glibc says that or EAI_NODATA, by what errno was before the call
    }
    return h.h_error == TRY_AGAIN ? EAI_AGAIN : EAI_NODATA;
}

/// What a failed lookup says about the name: 0 nothing, 1 it has no such data, else EAI_AGAIN.
int no_data_code(const host_result& h) {
    if (h.status == source_status::success) {
        return 0;
    }
    return h.h_error == TRY_AGAIN ? EAI_AGAIN : static_cast<int>(h.h_error == NO_DATA);
}

void take_addresses(request& r, host_result& h) {
    for (const ip_address& a : h.host.addresses) {
        r.found_ipv6 |= a.family == AF_INET6;
        const bool map = a.family == AF_INET && r.hints.ai_family == AF_INET6;
        r.addresses.push_back(map ? a.mapped() : a);
    }
    if (r.has(AI_CANONNAME) && !r.canonical) {
        r.canonical = std::move(h.host.name);
    }
}

/// The state of glibc's walk over the sources.
struct walk {
    source_status status = source_status::unavailable;
    int h_error = 0;
    int error = 0;
    int no_data = 0;
    int no_ipv6_data = 0;

    void note(const host_result& h) {
        h_error = h.h_error;
        error = h.error;
    }
};

/// One family at a time. 0, ask_libc or EAI_SYSTEM.
int ask_families(request& r, const host_source& source, walk& w) {
    const lookup_form form =
        r.has(AI_CANONNAME) ? lookup_form::one_family_any : lookup_form::one_family;
    source_status ipv6_status = source_status::unavailable;
    const auto ask = [&](int family, source_status& status) {
        host_result h = ask_source(source, r.node, family, form, r.deadline);
        if (h.libc_needed) {
            return ask_libc;
        }
        w.note(h);
        status = h.status;
        w.no_data = no_data_code(h);
        if (h.status == source_status::success) {
            take_addresses(r, h);
        } else if (h.h_error == NETDB_INTERNAL) {
            return system_error(h);
        }
        return 0;
    };
    if (r.hints.ai_family == AF_INET6) {
        if (const int code = ask(AF_INET6, ipv6_status); code != 0) {
            return code;
        }
        w.no_ipv6_data = w.no_data;
    }
    if (r.hints.ai_family == AF_INET || (r.has(AI_V4MAPPED) && (r.has(AI_ALL) || !r.found_ipv6))) {
        if (const int code = ask(AF_INET, w.status); code != 0) {
            return code;
        }
        if (r.hints.ai_family == AF_INET) {
            w.no_ipv6_data = w.no_data;
            ipv6_status = w.status;
        }
    }
    if (ipv6_status == source_status::success || w.status == source_status::success) {
        w.status = source_status::success;
    } else if (ipv6_status == source_status::try_again) {
        w.status = source_status::try_again;
    } else if (w.status == source_status::unavailable) {
        w.status = ipv6_status;
    }
    return 0;
}

int ask_both(request& r, const host_source& source, walk& w) {
    host_result h = ask_source(source, r.node, AF_UNSPEC, lookup_form::all_families, r.deadline);
    if (h.libc_needed) {
        return ask_libc;
    }
    w.note(h);
    w.status = h.status;
    w.no_data = w.no_ipv6_data = no_data_code(h);
    if (h.status == source_status::success) {
        take_addresses(r, h);
        r.found_ipv6 = false; // counts for AF_INET6 only
    }
    return 0;
}

int find_in_sources(request& r) {
    const auto sources = current_host_sources();
    if (sources->foreign) {
        return ask_libc;
    }
    walk w;
    for (const host_source& source : sources->list) {
        r.addresses.clear();
        r.canonical.reset();
        r.found_ipv6 = false;
        w.no_data = 0;
        const int code =
            r.hints.ai_family == AF_UNSPEC ? ask_both(r, source, w) : ask_families(r, source, w);
        if (code != 0) {
            return code;
        }
        const bool interrupted =
            w.h_error == NETDB_INTERNAL && (w.error == ECANCELED || w.error == ETIMEDOUT);
        if (interrupted || !source.go_on[static_cast<std::size_t>(w.status)]) {
            break;
        }
    }
    if ((w.status == source_status::try_again || w.status == source_status::unavailable) &&
        w.h_error == NETDB_INTERNAL) {
        errno = w.error;
        return EAI_SYSTEM;
    }
    if (w.no_data != 0 && w.no_ipv6_data != 0) {
        return w.no_data == EAI_AGAIN && w.no_ipv6_data == EAI_AGAIN ? EAI_AGAIN : EAI_NODATA;
    }
    return r.addresses.empty() ? EAI_NONAME : 0;
}

int find_addresses(request& r) {
    if (r.node == nullptr) {
        local_addresses(r);
        return 0;
    }
    if (const int code = numeric_address(r); code != 0 || !r.addresses.empty()) {
        return code;
    }
    return r.hints.ai_family == AF_INET && !r.has(AI_CANONNAME) ? find_ipv4(r) : find_in_sources(r);
}

// ----------------------------------------------------------------------------------- the result

/// The name to return in the first node, or null.
const char* canonical_name(const request& r) {
    if (!r.has(AI_CANONNAME)) {
        return nullptr;
    }
    return r.canonical ? r.canonical->c_str() : r.node;
}

void order_addresses(request& r, std::optional<interface_list>& interfaces) {
    // Addresses that were mapped in case there is no IPv6 one, but there is.
    const bool drop_mapped =
        r.found_ipv6 && (r.hints.ai_flags & (AI_V4MAPPED | AI_ALL)) == AI_V4MAPPED;
    if (drop_mapped) {
        std::erase_if(r.addresses, [](const ip_address& a) { return a.is_mapped(); });
    }
    if (r.addresses.size() < 2) {
        return;
    }
    if (!interfaces) {
        interfaces = interface_list::now();
    }
    std::vector<route> routes = find_routes(r.addresses, *interfaces);
    sort_routes(routes);
    std::transform(routes.begin(), routes.end(), r.addresses.begin(),
                   [](const route& x) { return x.destination; });
}

// ------------------------------------------------------------------------------------- the whole

bool is_ascii(const char* text) {
    return std::all_of(text, text + std::strlen(text),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Narrows the family to what the machine has addresses of. 0 or EAI_*.
int configured_families(addrinfo& hints, std::optional<interface_list>& interfaces) {
    interfaces = interface_list::now();
    const bool v4 = interfaces->has_ipv4;
    const bool v6 = interfaces->has_ipv6;
    if (hints.ai_family == AF_UNSPEC) {
        if (v4 != v6) {
            hints.ai_family = v4 ? AF_INET : AF_INET6;
        }
        return 0;
    }
    return (hints.ai_family == AF_INET ? v4 : v6) ? 0 : EAI_NONAME;
}

int check_hints(const char* node, const addrinfo& hints) {
    if ((hints.ai_flags & ~valid_flags) != 0 ||
        ((hints.ai_flags & AI_CANONNAME) != 0 && node == nullptr)) {
        return EAI_BADFLAGS;
    }
    const int f = hints.ai_family;
    return f == AF_UNSPEC || f == AF_INET || f == AF_INET6 ? 0 : EAI_FAMILY;
}

int resolve(const char* node, const char* service, const addrinfo* given, addrinfo** result,
            time_point deadline) {
    const auto is_star = [](const char* s) { return s != nullptr && std::strcmp(s, "*") == 0; };
    node = is_star(node) ? nullptr : node;
    service = is_star(service) ? nullptr : service;
    if (node == nullptr && service == nullptr) {
        return EAI_NONAME;
    }
    request r{node, {}, deadline};
    if (given != nullptr) {
        r.hints = *given;
    } else {
        r.hints.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG;
    }
    if (const int code = check_hints(node, r.hints); code != 0) {
        return code;
    }
    // libc has the international names, through libidn2.
    const bool international =
        node != nullptr && ((r.has(AI_IDN) && !is_ascii(node)) || r.has(AI_CANONIDN));
    if (mode() != resolver_mode::ares || international) {
        return ask_libc;
    }
    std::optional<interface_list> interfaces;
    if (r.has(AI_ADDRCONFIG)) {
        if (const int code = configured_families(r.hints, interfaces); code != 0) {
            return code;
        }
    }
    std::vector<socket_type> types;
    if (const int code = expand_service(service, r.hints, types); code != 0) {
        return code;
    }
    if (const int code = find_addresses(r); code != 0) {
        return code;
    }
    order_addresses(r, interfaces);
    address_list list = make_address_list(r.addresses, types, r.hints.ai_flags, canonical_name(r));
    if (list == nullptr) {
        return EAI_NONAME;
    }
    *result = list.release();
    return 0;
}

} // namespace

int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result,
                options& o) noexcept {
    try {
        hub_core& hub = hub_core::current();
        const std::uint64_t switches = hub.switches();
        int code = resolve(node, service, hints, result, o.deadline);
        if (code == ask_libc) {
            code = libc_getaddrinfo(node, service, hints, result, o.deadline);
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
