// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "exhaustion/io_scenarios.hpp"
#include "hub/foreign_call.hpp"
#include "shims/ops/call.hpp"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <resolv.h>

/// Operations of the shim, which are noexcept: what they lack they say as libc does.
namespace tendril::test::scenarios {

namespace ops = detail::shim::ops;

/// The same call of libc's, which never fails here: with its own failures it would be libc that is
/// tested.
template <auto Call, typename Result, typename... Arguments>
void exempt(Result (*&entry)(Arguments...)) noexcept {
    entry = [](Arguments... arguments) -> Result {
        const faults::exempt_scope scope;
        return Call(arguments...);
    };
}

inline std::shared_ptr<void> own_names_and_libc() {
    struct __res_state state {};
    ::res_ninit(&state); // what libc keeps for all
    ::res_nclose(&state);
    ::getpwuid(0);
    auto& libc = detail::shim::libc;
    exempt<&::res_nquery>(libc.res_nquery);
    exempt<&::res_nquerydomain>(libc.res_nquerydomain);
    exempt<&::res_nsend>(libc.res_nsend);
    exempt<&::getpwuid_r>(libc.getpwuid_r);
    exempt<&::getgrnam_r>(libc.getgrnam_r);
    return own_names();
}

/// Either an answer, or the error of libc without memory.
inline void check_question(int result, res_state state) {
    require(result > 0 || (errno == ENOMEM && h_errno == NETDB_INTERNAL &&
                           state->res_h_errno == NETDB_INTERNAL),
            "another error of resolver(3)");
}

inline void asks_the_resolver_by_the_shim() {
    struct closed_state {
        struct __res_state s {};
        ~closed_state() { ::res_nclose(&s); }
    } own;
    u_char message[NS_PACKETSZ];
    int size = 0;
    {
        const faults::exempt_scope scope;
        ::res_ninit(&own.s);
        const std::string server = std::getenv("TENDRIL_NAMESERVERS");
        const auto colon = server.rfind(':');
        own.s.nscount = 1;
        own.s.nsaddr_list[0] =
            loopback(static_cast<in_port_t>(std::stoi(server.substr(colon + 1))));
        own.s.retry = 1;
        size = ::res_nmkquery(&own.s, ns_o_query, "server.test", ns_c_in, ns_t_a, nullptr, 0,
                              nullptr, message, sizeof message);
    }
    crew<2> all;
    all.add([] { this_fiber::sleep_for(100us); }); // so that there is something else to do
    all.add([&] {
        u_char answer[NS_PACKETSZ];
        const int room = sizeof answer;
        constexpr const char* name = "server.test";
        constexpr const char* domain = "a.name.that.is.too.long.to.be.kept.inside.of.a.string";
        check_question(ops::res_nquery(&own.s, name, ns_c_in, ns_t_a, answer, room), &own.s);
        ops::res_nquerydomain(&own.s, name, domain, ns_c_in, ns_t_a, answer, room);
        check_question(ops::res_nsend(&own.s, message, size, answer, room), &own.s);
    });
    all.end();
}

inline void asks_netdb_by_the_shim() {
    crew<2> all;
    all.add([] { this_fiber::sleep_for(100us); });
    all.add([] {
        // Of files alone: what servers have to do with it is looks_names_up.
        require(ops::gethostbyname("hosted.test") != nullptr || h_errno == NETDB_INTERNAL,
                "another error of gethostbyname");
        addrinfo* list = nullptr;
        const int code = ops::getaddrinfo("hosted.test", "80", nullptr, &list);
        require(code == 0 || code == EAI_MEMORY || code == EAI_SYSTEM,
                "another error of getaddrinfo");
        if (code == 0) {
            ::freeaddrinfo(list);
        }
        errno = 0;
        require(ops::getpwuid(0) != nullptr || errno == ENOMEM, "another error of getpwuid");
        require(ops::getgrnam("root") != nullptr || errno == ENOMEM, "another error of getgrnam");
    });
    all.end();
}

} // namespace tendril::test::scenarios
