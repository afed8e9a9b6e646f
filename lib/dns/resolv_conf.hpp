// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tendril::detail::dns {

/// A name server. The family tells which member counts.
union server_address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;

    socklen_t size() const noexcept { return any.sa_family == AF_INET ? sizeof v4 : sizeof v6; }
};

/// resolv.conf(5) as glibc 2.36 reads it, its limits included.
struct resolv_conf {
    std::vector<server_address> servers; ///< 1 to 3
    std::vector<std::string> search;     ///< without the first dot; "" is the root
    unsigned ndots = 1;
    int timeout = 5; ///< seconds
    int attempts = 2;
    bool rotate = false;
    bool edns0 = false;
    bool single_request = false;
    bool single_request_reopen = false;
    bool no_tld_query = false;
    bool no_reload = false;
    bool use_vc = false;
    bool trust_ad = false;
    bool no_aaaa = false;

    struct sort_entry {
        std::uint32_t address; ///< network byte order, as the mask
        std::uint32_t mask;
    };
    std::vector<sort_entry> sortlist;
};

/// What the environment adds to the file; null where a variable is not set.
struct resolv_environment {
    const char* local_domain = nullptr; ///< LOCALDOMAIN: replaces the search list
    const char* res_options = nullptr;  ///< RES_OPTIONS: after the file's options
    const char* name_servers = nullptr; ///< TENDRIL_NAMESERVERS: "127.0.0.1:5353,[::1]:53"
    std::string host_name;              ///< its domain is the search list if none is given

    static resolv_environment current();
};

resolv_conf parse_resolv_conf(std::string_view text, const resolv_environment& environment);

/// "ADDRESS", "V4:PORT" or "[V6]:PORT", separated by commas or spaces. What makes no sense is left
/// out and reported on stderr.
std::vector<server_address> parse_name_servers(std::string_view text);

/// The present one; read again when the file changed, unless it said no-reload.
std::shared_ptr<const resolv_conf> current_resolv_conf();

} // namespace tendril::detail::dns
