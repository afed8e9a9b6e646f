// SPDX-License-Identifier: BSL-1.0
#include "dns/hosts.hpp"

#include "dns/config_file.hpp"

#include <arpa/inet.h>

#include <cstdlib>
#include <optional>

namespace tendril::detail::dns {

namespace {

std::string lower_case(std::string_view name) {
    std::string out(name);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c + ('a' - 'A'));
        }
    }
    return out;
}

/// Strict forms only, without scopes: /etc/hosts is read by inet_pton.
std::optional<ip_address> parse_hosts_address(const std::string& text) {
    if (in_addr a; inet_pton(AF_INET, text.c_str(), &a) == 1) {
        return ip_address::v4(a);
    }
    if (in6_addr a; inet_pton(AF_INET6, text.c_str(), &a) == 1) {
        return ip_address::v6(a);
    }
    return std::nullopt;
}

std::optional<ip_address> as_family(const ip_address& a, int family) {
    if (family == AF_UNSPEC || a.family == family) {
        return a;
    }
    if (family == AF_INET && a.is_mapped()) {
        return a.unmapped();
    }
    if (family == AF_INET && a == ip_address::v6(in6addr_loopback)) {
        return ip_address::v4({htonl(INADDR_LOOPBACK)});
    }
    return std::nullopt;
}

} // namespace

hosts_file hosts_file::parse(std::string_view text) {
    hosts_file out;
    for_each_line(text, [&out](std::string_view rest) {
        rest = rest.substr(0, rest.find('#'));
        const auto address = parse_hosts_address(std::string(take_word(rest)));
        const std::string_view name = take_word(rest);
        if (!address || name.empty()) {
            return;
        }
        line l{*address, std::string(name), {}};
        const std::size_t index = out.lines_.size();
        out.by_name_[lower_case(name)].push_back(index);
        for (std::string_view alias = take_word(rest); !alias.empty(); alias = take_word(rest)) {
            std::vector<std::size_t>& where = out.by_name_[lower_case(alias)];
            if (where.empty() || where.back() != index) {
                where.push_back(index);
            }
            l.aliases.emplace_back(alias);
        }
        out.entries_.push_back({l.name, l.aliases, {l.address}});
        out.lines_.push_back(std::move(l));
    });
    return out;
}

host_entry hosts_file::find(std::string_view name, int family, bool multi) const {
    host_entry out;
    const auto found = by_name_.find(lower_case(name));
    if (found == by_name_.end()) {
        return out;
    }
    for (const std::size_t index : found->second) {
        const line& l = lines_[index];
        const auto address = as_family(l.address, family);
        if (!address) {
            continue;
        }
        if (out.addresses.empty()) {
            out.name = l.name;
        }
        out.aliases.insert(out.aliases.end(), l.aliases.begin(), l.aliases.end());
        if (l.name != out.name) {
            out.aliases.push_back(l.name);
        }
        out.addresses.push_back(*address);
        if (!multi) {
            break;
        }
    }
    return out;
}

const host_entry* hosts_file::find(const ip_address& address) const {
    for (const host_entry& e : entries_) {
        const auto a = as_family(e.addresses.front(), address.family);
        if (a && a->bytes == address.bytes) {
            return &e;
        }
    }
    return nullptr;
}

std::shared_ptr<const hosts_file> current_hosts() {
    static config_file<hosts_file>& file =
        *new config_file<hosts_file>(&config_paths::hosts, &hosts_file::parse);
    return file.get();
}

bool hosts_multi() {
    static config_file<bool>& file =
        *new config_file<bool>(&config_paths::host_conf, [](std::string_view text) {
            bool multi = false;
            for_each_line(text, [&multi](std::string_view rest) {
                rest = rest.substr(0, rest.find('#'));
                if (same_name(take_word(rest), "multi")) {
                    multi = same_name(take_word(rest), "on");
                }
            });
            if (const char* variable = std::getenv("RESOLV_MULTI")) {
                multi = same_name(variable, "on");
            }
            return multi;
        });
    return *file.get();
}

} // namespace tendril::detail::dns
