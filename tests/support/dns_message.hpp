// SPDX-License-Identifier: BSL-1.0
#pragma once

// Just enough of the DNS wire format (RFC 1035 section 4) to play a server.

#include <arpa/inet.h>

#include <cctype>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tendril_test {

namespace dns_type {
inline constexpr std::uint16_t a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, txt = 16, aaaa = 28,
                               opt = 41;
}

namespace dns_rcode {
inline constexpr int noerror = 0, formerr = 1, servfail = 2, nxdomain = 3, notimp = 4, refused = 5;
}

using dns_bytes = std::vector<std::uint8_t>;

inline void put16(dns_bytes& out, unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

inline void put32(dns_bytes& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffff);
}

/// Labels of "www.example.org" or "www.example.org."; "" and "." are the root. A backslash takes
/// the next character as it is.
inline void put_name(dns_bytes& out, const std::string& name) {
    dns_bytes label;
    const auto flush = [&] {
        if (!label.empty()) {
            out.push_back(static_cast<std::uint8_t>(label.size()));
            out.insert(out.end(), label.begin(), label.end());
            label.clear();
        }
    };
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '.') {
            flush();
        } else {
            i += name[i] == '\\' && i + 1 < name.size() ? 1 : 0;
            label.push_back(static_cast<std::uint8_t>(name[i]));
        }
    }
    flush();
    out.push_back(0);
}

struct dns_record {
    std::string name;
    std::uint16_t type = dns_type::a;
    dns_bytes data;
    std::uint32_t ttl = 60;
    std::uint16_t rclass = 1;
};

inline dns_record address_record(const std::string& name, const std::string& address) {
    const bool v6 = address.find(':') != std::string::npos;
    dns_record r{name, v6 ? dns_type::aaaa : dns_type::a, dns_bytes(v6 ? 16 : 4)};
    if (inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), r.data.data()) != 1) {
        throw std::invalid_argument(address);
    }
    return r;
}

inline dns_record name_record(const std::string& name, std::uint16_t type,
                              const std::string& target) {
    dns_record r{name, type, {}};
    put_name(r.data, target);
    return r;
}

inline dns_record cname_record(const std::string& name, const std::string& target) {
    return name_record(name, dns_type::cname, target);
}

inline dns_record ptr_record(const std::string& name, const std::string& target) {
    return name_record(name, dns_type::ptr, target);
}

/// One question as the server saw it.
struct dns_question {
    std::string name; ///< without the last dot, as written by the client
    std::uint16_t type = 0;
    std::uint16_t id = 0;
    bool tcp = false;
    bool edns = false;
    std::uint16_t source_port = 0;

    std::string lower() const {
        std::string s = name;
        for (char& c : s) {
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
        return s;
    }
};

inline std::optional<dns_question> read_question(const std::uint8_t* p, std::size_t size) {
    if (size < 12 || (p[2] & 0x80) != 0 || (p[4] << 8 | p[5]) != 1) {
        return std::nullopt;
    }
    dns_question q;
    q.id = static_cast<std::uint16_t>(p[0] << 8 | p[1]);
    std::size_t at = 12;
    while (at < size && p[at] != 0) {
        const std::size_t length = p[at++];
        if (length > 63 || at + length > size) {
            return std::nullopt;
        }
        if (!q.name.empty()) {
            q.name += '.';
        }
        q.name.append(reinterpret_cast<const char*>(p + at), length);
        at += length;
    }
    if (at + 5 > size) {
        return std::nullopt;
    }
    q.type = static_cast<std::uint16_t>(p[at + 1] << 8 | p[at + 2]);
    q.edns = (p[10] << 8 | p[11]) != 0;
    return q;
}

} // namespace tendril_test
