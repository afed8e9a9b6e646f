// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/numeric_address.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tendril::detail::dns {

/// What a name stands for: the way of hostent, with addresses of any family.
struct host_entry {
    std::string name; ///< canonical
    std::vector<std::string> aliases;
    std::vector<ip_address> addresses;
};

/// hosts(5). Looks up as glibc's "files" source does.
class hosts_file {
public:
    static hosts_file parse(std::string_view text);

    /// Every line with this name, in the file's order; `multi` false: the first only. family
    /// AF_UNSPEC takes addresses as they are written; AF_INET takes also ::1 and mapped ones, as
    /// IPv4. An entry without addresses means not found.
    host_entry find(std::string_view name, int family, bool multi) const;

    /// The first line with this address.
    const host_entry* find(const ip_address& address) const;

private:
    struct line {
        ip_address address;
        std::string name;
        std::vector<std::string> aliases;
    };

    std::vector<line> lines_;
    std::vector<host_entry> entries_; ///< the lines again, for find by address
    std::unordered_map<std::string, std::vector<std::size_t>> by_name_; ///< in lower case
};

std::shared_ptr<const hosts_file> current_hosts();

/// host.conf(5): `multi on`, or RESOLV_MULTI: all lines with a name count.
bool hosts_multi();

} // namespace tendril::detail::dns
