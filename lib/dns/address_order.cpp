// SPDX-License-Identifier: BSL-1.0
#include "dns/address_order.hpp"

#include "sys/calls.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tendril::detail::dns {

namespace {

struct prefix_value {
    std::array<std::uint8_t, 16> prefix;
    unsigned bits;
    int value;
};

// The default policy table as glibc has it: RFC 3484's, with labels for site-local, unique local
// and Teredo addresses.
constexpr prefix_value labels[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 0},
    {{0x20, 0x02}, 16, 2},
    {{}, 96, 3},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 4},
    {{0xfe, 0xc0}, 10, 5},
    {{0xfc, 0x00}, 7, 6},
    {{0x20, 0x01}, 32, 7},
    {{}, 0, 1},
};

constexpr prefix_value precedences[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 50},
    {{0x20, 0x02}, 16, 30},
    {{}, 96, 20},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 10},
    {{}, 0, 40},
};

bool has_prefix(const ip_address& a, const prefix_value& p) noexcept {
    const std::size_t whole = p.bits / 8;
    const unsigned rest = p.bits % 8;
    const unsigned mask = 0xff00u >> rest & 0xffu;
    return std::memcmp(a.bytes.data(), p.prefix.data(), whole) == 0 &&
           (rest == 0 || (a.bytes[whole] & mask) == (p.prefix[whole] & mask));
}

template <std::size_t Size>
int match(const ip_address& a, const prefix_value (&table)[Size]) noexcept {
    const ip_address v6 = a.family == AF_INET ? a.mapped() : a;
    const prefix_value* p = table;
    while (!has_prefix(v6, *p)) {
        ++p; // the last entry matches everything
    }
    return p->value;
}

int scope(const ip_address& a) noexcept {
    constexpr int link_local = 2;
    constexpr int site_local = 5;
    constexpr int global = 14;
    if (a.family == AF_INET) {
        const bool local = a.bytes[0] == 127 || (a.bytes[0] == 169 && a.bytes[1] == 254);
        return local ? link_local : global;
    }
    in6_addr v6;
    std::memcpy(&v6, a.bytes.data(), sizeof v6);
    if (IN6_IS_ADDR_MULTICAST(&v6)) {
        return a.bytes[1] & 0xf;
    }
    if (IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_LOOPBACK(&v6)) {
        return link_local;
    }
    return IN6_IS_ADDR_SITELOCAL(&v6) ? site_local : global;
}

std::uint32_t word(const ip_address& a, std::size_t index) noexcept {
    std::uint32_t w;
    std::memcpy(&w, a.bytes.data() + index * 4, sizeof w);
    return ntohl(w);
}

/// Common leading bits of two IPv4 addresses of one network, else 0: outside of a network they mean
/// nothing.
int common_bits_v4(const route& r) noexcept {
    const std::uint32_t mask = r.prefix == 0 ? ~0u : ~0u << (32 - std::min<unsigned>(r.prefix, 32));
    const std::uint32_t difference = word(r.destination, 0) ^ word(*r.source, 0);
    return (difference & mask) == 0 ? std::countl_zero(difference) : 0;
}

/// < 0: a has the longer common prefix. Compared in the first word where either differs.
int compare_common_prefix(const route& a, const route& b) noexcept {
    if (a.destination.family == AF_INET) {
        return common_bits_v4(b) - common_bits_v4(a);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        const std::uint32_t da = word(a.destination, i) ^ word(*a.source, i);
        const std::uint32_t db = word(b.destination, i) ^ word(*b.source, i);
        if (da != 0 || db != 0) {
            return std::countl_zero(db) - std::countl_zero(da);
        }
    }
    return 0;
}

/// < 0: a goes first. Each rule's number is the RFC's.
int compare(const route& a, const route& b) noexcept {
    if (a.source.has_value() != b.source.has_value()) { // 1: avoid unusable destinations
        return a.source ? -1 : 1;
    }
    const auto prefer = [](bool x, bool y) { return static_cast<int>(y) - static_cast<int>(x); };
    if (a.source) {
        if (const int c = prefer(scope(a.destination) == scope(*a.source),
                                 scope(b.destination) == scope(*b.source))) { // 2: matching scope
            return c;
        }
        if (const int c = prefer(!a.deprecated, !b.deprecated)) { // 3
            return c;
        }
        if (const int c = prefer(a.home, b.home)) { // 4
            return c;
        }
        if (const int c = prefer(match(a.destination, labels) == match(*a.source, labels),
                                 match(b.destination, labels) == match(*b.source, labels))) { // 5
            return c;
        }
    }
    if (const int c = match(b.destination, precedences) - match(a.destination, precedences)) { // 6
        return c;
    }
    if (const int c = scope(a.destination) - scope(b.destination)) { // 8: smaller scope
        return c;
    }
    if (a.source && a.destination.family == b.destination.family) { // 9
        return compare_common_prefix(a, b);
    }
    return 0; // 10: as they came
}

/// A UDP socket that is connected to one address after the other.
class probe {
public:
    probe() = default;
    probe(const probe&) = delete;
    probe& operator=(const probe&) = delete;
    ~probe() {
        if (fd_ >= 0) {
            sys::real.close(fd_);
        }
    }

    std::optional<ip_address> source_for(const ip_address& to) {
        if (fd_ < 0 && !failed_) {
            fd_ = sys::real.socket(to.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            failed_ = fd_ < 0;
        } else if (fd_ >= 0) {
            sockaddr reset{};
            reset.sa_family = AF_UNSPEC;
            sys::real.connect(fd_, &reset, sizeof reset);
        }
        union {
            sockaddr any;
            sockaddr_in v4;
            sockaddr_in6 v6;
        } a{};
        a.any.sa_family = static_cast<sa_family_t>(to.family);
        socklen_t size = to.family == AF_INET ? sizeof a.v4 : sizeof a.v6;
        if (to.family == AF_INET) {
            std::memcpy(&a.v4.sin_addr, to.bytes.data(), 4);
        } else {
            std::memcpy(&a.v6.sin6_addr, to.bytes.data(), 16);
            a.v6.sin6_scope_id = to.scope;
        }
        if (fd_ < 0 || sys::real.connect(fd_, &a.any, size) != 0 ||
            ::getsockname(fd_, &a.any, &size) != 0) {
            return std::nullopt;
        }
        return to.family == AF_INET ? ip_address::v4(a.v4.sin_addr)
                                    : ip_address::v6(a.v6.sin6_addr);
    }

private:
    int fd_ = -1;
    bool failed_ = false;
};

} // namespace

void sort_routes(std::vector<route>& routes) {
    std::stable_sort(routes.begin(), routes.end(),
                     [](const route& a, const route& b) { return compare(a, b) < 0; });
}

std::vector<route> find_routes(const std::vector<ip_address>& destinations,
                               const interface_list& interfaces) {
    std::vector<route> out;
    probe v4;
    probe v6;
    for (const ip_address& d : destinations) {
        route r;
        r.destination = d;
        r.source = (d.family == AF_INET ? v4 : v6).source_for(d);
        if (r.source) {
            ip_address known = d.family == AF_INET ? r.source->mapped() : *r.source;
            if (d.family == AF_INET && r.source->bytes[0] == 127) {
                // All of 127/8 belongs to the one address of lo.
                known = ip_address::v4({htonl(INADDR_LOOPBACK)}).mapped();
            }
            if (const interface_address* i = interfaces.find(known)) {
                r.deprecated = i->deprecated;
                r.home = i->home;
                r.prefix = i->prefix;
            }
        }
        out.push_back(std::move(r));
    }
    return out;
}

} // namespace tendril::detail::dns
