// SPDX-License-Identifier: BSL-1.0
#include "dns/reply.hpp"

#include "dns/config_file.hpp"
#include "hub/foreign_call.hpp"

#include <arpa/nameser.h>
#include <resolv.h>

#include <cstring>
#include <optional>

namespace tendril::detail::dns {

namespace {

/// A host name, as MAXHOSTNAMELEN limits it.
constexpr std::size_t name_size = 257;

std::optional<std::string> uncompress(const ns_msg& m, const unsigned char* at) {
    char name[NS_MAXDNAME];
    if (ns_name_uncompress(ns_msg_base(m), ns_msg_end(m), at, name, sizeof name) < 0) {
        return std::nullopt;
    }
    return name;
}

void add_address(reply_records& out, const ns_rr& rr) {
    if (ns_rr_type(rr) == ns_t_a && ns_rr_rdlen(rr) == 4) {
        in_addr a;
        std::memcpy(&a, ns_rr_rdata(rr), sizeof a);
        out.addresses.push_back(ip_address::v4(a));
    } else if (ns_rr_type(rr) == ns_t_aaaa && ns_rr_rdlen(rr) == 16) {
        in6_addr a;
        std::memcpy(&a, ns_rr_rdata(rr), sizeof a);
        out.addresses.push_back(ip_address::v6(a));
    }
}

/// False: the message is malformed.
bool read_record(reply_records& out, const ns_msg& m, const ns_rr& rr, int type,
                 std::string& expected) {
    const auto is_host_name = [](const std::string& s) {
        return s.size() < name_size && res_hnok(s.c_str()) != 0;
    };
    if (ns_rr_class(rr) != ns_c_in) {
        return true;
    }
    if (ns_rr_type(rr) == ns_t_cname) {
        // The owner is not compared, as glibc does not.
        const auto target = uncompress(m, ns_rr_rdata(rr));
        if (!target) {
            return false;
        }
        expected = *target;
        if (is_host_name(expected)) {
            out.names.push_back(expected);
        }
    } else if (ns_rr_type(rr) == type && same_name(ns_rr_name(rr), expected)) {
        if (type != ns_t_ptr) {
            add_address(out, rr);
        } else if (out.pointer.empty() && !out.pointer_is_bad) {
            const auto target = uncompress(m, ns_rr_rdata(rr));
            out.pointer_is_bad = !target || !is_host_name(*target);
            out.pointer = out.pointer_is_bad ? "" : *target;
        }
    }
    return true;
}

} // namespace

reply_header reply_header::of(const message_bytes& m) noexcept {
    reply_header h;
    h.authoritative = (m[2] & 4) != 0;
    h.truncated = (m[2] & 2) != 0;
    h.recursion_available = (m[3] & 0x80) != 0;
    h.rcode = m[3] & 0xf;
    h.answers = static_cast<unsigned>(m[6] << 8 | m[7]);
    h.additional = static_cast<unsigned>(m[10] << 8 | m[11]);
    return h;
}

reply_records reply_records::of(const message_bytes& message) {
    const foreign_call_guard guard;
    reply_records out;
    ns_msg m;
    ns_rr rr;
    if (ns_initparse(message.data(), static_cast<int>(message.size()), &m) != 0 ||
        ns_parserr(&m, ns_s_qd, 0, &rr) != 0) {
        out.malformed = true;
        return out;
    }
    std::string expected = ns_rr_name(rr);
    const int type = ns_rr_type(rr);
    out.question_is_host_name = res_hnok(expected.c_str()) != 0;
    if (out.question_is_host_name) {
        out.names.push_back(expected);
    }
    for (int i = 0; i < ns_msg_count(m, ns_s_an); ++i) {
        if (ns_parserr(&m, ns_s_an, i, &rr) != 0 || !read_record(out, m, rr, type, expected)) {
            out.malformed = true;
            break;
        }
    }
    return out;
}

} // namespace tendril::detail::dns
