// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/resolver_state.hpp"

#include "hub/foreign_call.hpp"

#include <arpa/nameser.h>
#include <cstdlib>
#include <cstring>

namespace tendril::detail::shim {

resolver_state::resolver_state(res_state state) {
    {
        // Begins as each question does: initialises, or reads a resolv.conf that has changed.
        const foreign_call_guard guard;
        u_char unused[NS_PACKETSZ];
        ::res_nmkquery(state, ns_o_query, "localhost", ns_c_in, ns_t_a, nullptr, 0, nullptr, unused,
                       sizeof unused);
    }
    initialised_ = (state->options & RES_INIT) != 0;
    if (!initialised_) {
        return;
    }
    options_ = state->options;
    retrans_ = state->retrans;
    retry_ = state->retry;
    ndots_ = state->ndots;
    servers_ = state->nscount;
    for (int i = 0; i < servers_ && i < MAXNS; ++i) {
        const auto n = static_cast<std::size_t>(i);
        old_form_[n] = state->nsaddr_list[i];
        if (const sockaddr_in6* const a = state->_u._ext.nsaddrs[i]) {
            addresses_[n] = *a;
        }
    }
    for (std::size_t i = 0; i <= MAXDNSRCH && state->dnsrch[i] != nullptr; ++i) {
        search_[i] = state->dnsrch[i];
    }
    std::memcpy(domain_.data(), state->defdname, domain_.size());
}

bool resolver_state::give_to(struct __res_state& other) const noexcept {
    if (!initialised_) {
        return true;
    }
    other.options = options_;
    other.retrans = retrans_;
    other.retry = retry_;
    other.ndots = ndots_ & 15U;
    bool same = other.nscount == servers_;
    for (int i = 0; same && i < servers_ && i < MAXNS; ++i) {
        const auto n = static_cast<std::size_t>(i);
        const sockaddr_in6* const a = other._u._ext.nsaddrs[i];
        same = std::memcmp(&other.nsaddr_list[i], &old_form_[n], sizeof old_form_[n]) == 0 &&
               (a != nullptr) == addresses_[n].has_value() &&
               (a == nullptr || std::memcmp(a, &*addresses_[n], sizeof *a) == 0);
    }
    for (int i = 0; !same && i < MAXNS; ++i) {
        const auto n = static_cast<std::size_t>(i);
        other.nsaddr_list[i] = old_form_[n];
        std::free(other._u._ext.nsaddrs[i]); // libc frees them too
        other._u._ext.nsaddrs[i] = nullptr;
        if (addresses_[n]) {
            auto* const a = static_cast<sockaddr_in6*>(std::malloc(sizeof(sockaddr_in6)));
            if (a == nullptr) {
                return false;
            }
            *a = *addresses_[n];
            other._u._ext.nsaddrs[i] = a;
        }
    }
    other.nscount = servers_;
    same = true;
    for (std::size_t i = 0; same && i <= MAXDNSRCH; ++i) {
        const char* const theirs = other.dnsrch[i];
        same = (theirs != nullptr) == search_[i].has_value() &&
               (theirs == nullptr || *search_[i] == theirs);
        if (theirs == nullptr) {
            break;
        }
    }
    if (!same) {
        std::memcpy(other.defdname, domain_.data(), domain_.size());
        for (std::size_t i = 0; i <= MAXDNSRCH; ++i) {
            other.dnsrch[i] = search_[i] ? const_cast<char*>(search_[i]->c_str()) : nullptr;
        }
    }
    return true;
}

} // namespace tendril::detail::shim
