// SPDX-License-Identifier: BSL-1.0
#include "dns/host_lookup.hpp"

#include "dns/conversation.hpp"
#include "hub/foreign_call.hpp"

#include <arpa/nameser.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tendril::detail::dns {

namespace {

bool is_host_name(const std::string& name) {
    const foreign_call_guard guard;
    return res_hnok(name.c_str()) != 0;
}

host_result no_answer(source_status status, int h_error, int error = 0) {
    host_result r;
    r.status = status;
    r.h_error = h_error;
    r.error = error;
    return r;
}

/// The status that nss_dns makes of a failed search.
host_result failed(const query_result& q) {
    switch (q.error) {
    case ECONNREFUSED:
    case ETIMEDOUT:
        if (!q.interrupted) {
            return no_answer(source_status::unavailable, q.h_error);
        }
        [[fallthrough]];
    case ECANCELED:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return no_answer(source_status::unavailable, NETDB_INTERNAL, q.error);
    default:
        return no_answer(source_status::not_found, q.h_error);
    }
}

host_result needs_libc() {
    host_result r;
    r.libc_needed = true;
    return r;
}

host_result found(host_entry host) {
    host_result r;
    r.status = source_status::success;
    r.host = std::move(host);
    return r;
}

/// Both answers of a name: what either has, the first one's canonical name.
host_result merge_families(const query_result& q) {
    host_result out = no_answer(source_status::not_found, HOST_NOT_FOUND);
    for (const message_bytes& m : q.replies) {
        if (out.status != source_status::success && out.status != source_status::not_found) {
            break;
        }
        const bool first = out.status != source_status::success;
        if (reply_header::of(m).answers == 0) {
            continue;
        }
        reply_records r = reply_records::of(m);
        if (r.malformed && first) {
            out = no_answer(source_status::unavailable, NO_RECOVERY);
        } else if (!r.malformed && r.question_is_host_name && !r.addresses.empty()) {
            if (first) {
                out = found({});
                out.host.name = r.names.back();
            }
            out.host.addresses.insert(out.host.addresses.end(), r.addresses.begin(),
                                      r.addresses.end());
        }
    }
    return out;
}

/// `sortlist` of resolv.conf(5), IPv4 only.
void sort_addresses(const resolv_conf& conf, std::vector<ip_address>& addresses) {
    const auto rank = [&conf](const ip_address& a) {
        std::uint32_t bits;
        std::memcpy(&bits, a.bytes.data(), sizeof bits);
        return std::find_if(conf.sortlist.begin(), conf.sortlist.end(),
                            [bits](const auto& e) { return e.address == (bits & e.mask); });
    };
    std::stable_sort(addresses.begin(), addresses.end(),
                     [&rank](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

host_result one_family(const resolv_conf& conf, const query_result& q) {
    const message_bytes& m = q.replies.front();
    reply_records r = reply_records::of(m);
    if (r.malformed) {
        return no_answer(source_status::unavailable, NO_RECOVERY);
    }
    if (!r.question_is_host_name) {
        return no_answer(source_status::not_found, HOST_NOT_FOUND);
    }
    if (r.addresses.empty()) {
        return no_answer(source_status::try_again, NO_RECOVERY);
    }
    if (r.addresses.front().family == AF_INET) {
        sort_addresses(conf, r.addresses);
    }
    host_entry host;
    host.name = std::move(r.names.back());
    r.names.pop_back();
    host.aliases = std::move(r.names);
    host.addresses = std::move(r.addresses);
    return found(std::move(host));
}

host_result ask_dns(const std::string& name, int family, lookup_form form, time_point deadline) {
    if (name.find('.') == std::string::npos && std::getenv("HOSTALIASES") != nullptr) {
        return needs_libc(); // hostname(7): a file of the user's own aliases
    }
    if (form != lookup_form::one_family_any && !is_host_name(name)) {
        return no_answer(source_status::not_found, HOST_NOT_FOUND);
    }
    const std::shared_ptr<const resolv_conf> conf = current_resolv_conf();
    static constexpr std::array<int, 2> both{ns_t_a, ns_t_aaaa};
    std::span<const int> types = both;
    if (family == AF_INET || conf->no_aaaa) {
        types = types.first(1);
    } else if (family == AF_INET6) {
        types = types.last(1);
    }
    conversation c(resolver::of(hub_core::current()), conf, deadline, "dns");
    const query_result q = c.search(name, types);
    if (q.h_error != 0) {
        return failed(q);
    }
    if (family == AF_INET6 && conf->no_aaaa) {
        return no_answer(source_status::not_found, NO_DATA); // the A question told that it exists
    }
    return form == lookup_form::all_families ? merge_families(q) : one_family(*conf, q);
}

std::string pointer_name(const ip_address& a) {
    std::string out;
    if (a.family == AF_INET) {
        for (int i = 3; i >= 0; --i) {
            out += std::to_string(a.bytes[static_cast<std::size_t>(i)]) + '.';
        }
        return out + "in-addr.arpa";
    }
    constexpr char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; --i) {
        const unsigned byte = a.bytes[static_cast<std::size_t>(i)];
        out += {digits[byte & 15], '.', digits[byte >> 4], '.'};
    }
    return out + "ip6.arpa";
}

/// Mapped and, but for ::1 and ::, compatible addresses are asked for as the IPv4 ones they hold.
ip_address pointer_address(const ip_address& a) {
    static constexpr std::array<std::uint8_t, 16> zero{};
    const bool compatible =
        a.family == AF_INET6 && std::memcmp(a.bytes.data(), zero.data(), 12) == 0 &&
        !(a.bytes[12] == 0 && a.bytes[13] == 0 && a.bytes[14] == 0 && a.bytes[15] == 1);
    return a.is_mapped() || compatible ? a.unmapped() : a;
}

host_result ask_dns(const ip_address& given, time_point deadline) {
    const ip_address address = pointer_address(given);
    static constexpr std::array<int, 1> types{ns_t_ptr};
    conversation c(resolver::of(hub_core::current()), current_resolv_conf(), deadline,
                   "dns reverse");
    const query_result q = c.query(pointer_name(address), types);
    if (q.h_error != 0) {
        host_result r = failed(q);
        if (q.error == ETIMEDOUT && !q.interrupted) {
            r.status = source_status::not_found;
        }
        return r;
    }
    const reply_records r = reply_records::of(q.replies.front());
    if (!r.pointer.empty()) {
        return found({r.pointer, {}, {address}});
    }
    if (r.malformed || r.pointer_is_bad) {
        return no_answer(source_status::unavailable, NO_RECOVERY);
    }
    return no_answer(source_status::try_again, NO_RECOVERY);
}

bool is_link_local(const ip_address& a) {
    return a.family == AF_INET ? a.bytes[0] == 169 && a.bytes[1] == 254
                               : a.bytes[0] == 0xfe && (a.bytes[1] & 0xc0) == 0x80;
}

host_result from_entry(host_entry entry) {
    return entry.addresses.empty() ? no_answer(source_status::not_found, HOST_NOT_FOUND)
                                   : found(std::move(entry));
}

/// `ask` is called for each source, until the line says that it is enough.
template <typename Ask>
host_result walk_sources(Ask ask) {
    const std::shared_ptr<const host_sources> sources = current_host_sources();
    if (sources->foreign) {
        return needs_libc();
    }
    host_result last = no_answer(source_status::unavailable, NO_RECOVERY);
    for (const host_source& s : sources->list) {
        last = ask(s);
        const bool interrupted =
            last.h_error == NETDB_INTERNAL && (last.error == ECANCELED || last.error == ETIMEDOUT);
        if (last.libc_needed || interrupted || !s.go_on[static_cast<std::size_t>(last.status)]) {
            break;
        }
    }
    return last;
}

} // namespace

host_result ask_source(const host_source& source, const std::string& name, int family,
                       lookup_form form, time_point deadline) {
    switch (source.kind) {
    case source_kind::files:
        return from_entry(current_hosts()->find(
            name, form == lookup_form::all_families ? AF_UNSPEC : family, hosts_multi()));
    case source_kind::dns:
        return ask_dns(name, family, form, deadline);
    case source_kind::mdns_minimal:
        return may_know(source.kind, name) ? needs_libc()
                                           : no_answer(source_status::unavailable, NO_RECOVERY);
    case source_kind::my_host_name:
        return may_know(source.kind, name) ? needs_libc()
                                           : no_answer(source_status::not_found, HOST_NOT_FOUND);
    case source_kind::other:
        break;
    }
    return needs_libc();
}

host_result find_host(const std::string& name, int family, lookup_form form, time_point deadline) {
    return walk_sources(
        [&](const host_source& s) { return ask_source(s, name, family, form, deadline); });
}

host_result find_host(const ip_address& address, time_point deadline) {
    return walk_sources([&](const host_source& s) {
        if (s.kind == source_kind::dns) {
            return ask_dns(address, deadline);
        }
        if (s.kind == source_kind::mdns_minimal && !is_link_local(address)) {
            return no_answer(source_status::unavailable, NO_RECOVERY);
        }
        if (s.kind != source_kind::files) {
            return needs_libc();
        }
        const std::shared_ptr<const hosts_file> hosts = current_hosts();
        const host_entry* const entry = hosts->find(address);
        host_result r = from_entry(entry != nullptr ? *entry : host_entry{});
        if (entry != nullptr) {
            r.host.addresses = {address};
        }
        return r;
    });
}

} // namespace tendril::detail::dns
