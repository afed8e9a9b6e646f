// SPDX-License-Identifier: BSL-1.0
#include "dns/socket_types.hpp"

#include "dns/services.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>

namespace tendril::detail::dns {

namespace {

struct known_type {
    int type;
    int protocol;
    bool by_default; ///< returned when the caller names neither
    bool raw;        ///< any protocol, no service
    const char* name;
};

constexpr known_type known_types[] = {
    {SOCK_STREAM, IPPROTO_TCP, true, false, "tcp"},
    {SOCK_DGRAM, IPPROTO_UDP, true, false, "udp"},
    {SOCK_DCCP, IPPROTO_DCCP, false, false, "dccp"},
    {SOCK_DGRAM, IPPROTO_UDPLITE, false, false, "udplite"},
    {SOCK_STREAM, IPPROTO_SCTP, false, false, "sctp"},
    {SOCK_SEQPACKET, IPPROTO_SCTP, false, false, "sctp"},
    {SOCK_RAW, 0, true, true, "raw"},
};

bool fits(const known_type& t, const addrinfo& hints) {
    return (hints.ai_socktype == 0 || hints.ai_socktype == t.type) &&
           (hints.ai_protocol == 0 || t.raw || hints.ai_protocol == t.protocol);
}

socket_type make(const known_type& t, const addrinfo& hints, std::uint16_t port) {
    return {t.type, t.raw ? hints.ai_protocol : t.protocol, port};
}

} // namespace

int expand_service(const char* service, const addrinfo& hints, std::vector<socket_type>& out) {
    const bool has_service = service != nullptr && *service != '\0';
    int number = 0;
    if (has_service) {
        // strtoul with all that it takes ("+80", " 80"); what does not fit into an int is a name.
        char* end;
        number = static_cast<int>(std::strtoul(service, &end, 10));
        if (*end != '\0') {
            if ((hints.ai_flags & AI_NUMERICSERV) != 0) {
                return EAI_NONAME;
            }
            number = -1;
        }
    }
    const bool by_name = has_service && number < 0;
    const std::uint16_t port = htons(static_cast<std::uint16_t>(number));

    if (hints.ai_socktype != 0 || hints.ai_protocol != 0) {
        const auto* const t =
            std::find_if(std::begin(known_types), std::end(known_types),
                         [&hints](const known_type& k) { return fits(k, hints); });
        if (t == std::end(known_types)) {
            return hints.ai_socktype != 0 ? EAI_SOCKTYPE : EAI_SERVICE;
        }
        if (has_service && t->raw) {
            return EAI_SERVICE;
        }
        if (!by_name) {
            out.push_back(make(*t, hints, port));
            return 0;
        }
        const auto found = service_port(service, t->name);
        if (!found) {
            return EAI_SERVICE;
        }
        out.push_back(make(*t, hints, *found));
        return 0;
    }
    for (const known_type& t : known_types) {
        if (!by_name) {
            if (t.by_default) {
                out.push_back({t.type, t.protocol, port});
            }
        } else if (!t.raw) {
            if (const auto found = service_port(service, t.name)) {
                out.push_back(make(t, hints, *found));
            }
        }
    }
    return out.empty() ? EAI_SERVICE : 0;
}

} // namespace tendril::detail::dns
