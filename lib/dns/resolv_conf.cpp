// SPDX-License-Identifier: BSL-1.0
#include "dns/resolv_conf.hpp"

#include "dns/config_file.hpp"
#include "dns/numeric_address.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace tendril::detail::dns {

namespace {

constexpr std::size_t most_servers = 3; // MAXNS
constexpr int most_ndots = 15;          // RES_MAXNDOTS
constexpr int most_timeout = 30;        // RES_MAXRETRANS
constexpr int most_attempts = 5;        // RES_MAXRETRY
constexpr std::uint16_t default_port = 53;

/// Blanks only: other white space is part of the word, as glibc has it.
std::string_view take_blank_word(std::string_view& rest) noexcept {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
    rest.remove_prefix(word.size());
    return word;
}

std::vector<std::string> split_domains(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::string_view word = take_blank_word(text);
        if (!word.empty()) {
            out.emplace_back(word.front() == '.' ? word.substr(1) : word);
        }
    }
    return out;
}

/// atoi(3), on purpose: "timeout:3x" is 3, and "timeout:x" is 0.
int number(std::string_view text) {
    return std::atoi(std::string(text).c_str());
}

bool starts_with(std::string_view text, std::string_view start) noexcept {
    return text.substr(0, start.size()) == start;
}

void read_option(resolv_conf& conf, std::string_view word) {
    struct flag {
        std::string_view name;
        bool resolv_conf::*member;
    };
    // Compared as prefixes, in this order, as glibc does.
    static constexpr flag flags[] = {
        {"rotate", &resolv_conf::rotate},
        {"edns0", &resolv_conf::edns0},
        {"single-request-reopen", &resolv_conf::single_request_reopen},
        {"single-request", &resolv_conf::single_request},
        {"no_tld_query", &resolv_conf::no_tld_query},
        {"no-tld-query", &resolv_conf::no_tld_query},
        {"no-reload", &resolv_conf::no_reload},
        {"use-vc", &resolv_conf::use_vc},
        {"trust-ad", &resolv_conf::trust_ad},
        {"no-aaaa", &resolv_conf::no_aaaa},
    };
    if (starts_with(word, "ndots:")) {
        conf.ndots = static_cast<unsigned>(std::min(number(word.substr(6)), most_ndots));
    } else if (starts_with(word, "timeout:")) {
        conf.timeout = std::min(number(word.substr(8)), most_timeout);
    } else if (starts_with(word, "attempts:")) {
        conf.attempts = std::min(number(word.substr(9)), most_attempts);
    } else {
        const auto* const f =
            std::find_if(std::begin(flags), std::end(flags),
                         [word](const flag& x) { return starts_with(word, x.name); });
        if (f != std::end(flags)) {
            conf.*(f->member) = true;
        }
    }
}

void read_options(resolv_conf& conf, std::string_view text) {
    while (!text.empty()) {
        read_option(conf, take_blank_word(text));
    }
}

std::optional<server_address> make_server(std::string_view text, std::uint16_t port) {
    const std::string host(text);
    server_address s{};
    if (parse_ipv4(host.c_str(), s.v4.sin_addr)) {
        s.v4.sin_family = AF_INET;
        s.v4.sin_port = htons(port);
        return s;
    }
    const std::size_t percent = host.find('%');
    if (inet_pton(AF_INET6, host.substr(0, percent).c_str(), &s.v6.sin6_addr) != 1) {
        return std::nullopt;
    }
    s.v6.sin6_family = AF_INET6;
    s.v6.sin6_port = htons(port);
    if (percent != std::string::npos) {
        // A scope that does not exist is ignored, as glibc does.
        parse_scope(s.v6.sin6_addr, host.c_str() + percent + 1, s.v6.sin6_scope_id);
    }
    return s;
}

std::uint32_t class_mask(std::uint32_t address) noexcept {
    const std::uint32_t host_order = ntohl(address);
    if (IN_CLASSA(host_order)) {
        return htonl(IN_CLASSA_NET);
    }
    return htonl(IN_CLASSB(host_order) ? IN_CLASSB_NET : IN_CLASSC_NET);
}

void read_sortlist(resolv_conf& conf, std::string_view text) {
    text = text.substr(0, text.find(';'));
    while (!text.empty()) {
        const std::string word(take_word(text));
        const std::size_t slash = word.find_first_of("/&");
        in_addr address;
        in_addr mask;
        if (word.empty() || !parse_ipv4(word.substr(0, slash).c_str(), address)) {
            continue;
        }
        const bool has_mask =
            slash != std::string::npos && parse_ipv4(word.c_str() + slash + 1, mask);
        conf.sortlist.push_back(
            {address.s_addr, has_mask ? mask.s_addr : class_mask(address.s_addr)});
    }
}

/// The rest of a line that starts with the keyword and a blank.
std::optional<std::string_view> after_keyword(std::string_view line, std::string_view keyword) {
    if (!starts_with(line, keyword) || line.size() == keyword.size() ||
        (line[keyword.size()] != ' ' && line[keyword.size()] != '\t')) {
        return std::nullopt;
    }
    line.remove_prefix(keyword.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line;
}

void read_line(resolv_conf& conf, std::string_view line, bool search_is_set) {
    if (const auto domain = after_keyword(line, "domain"); domain && !domain->empty()) {
        if (!search_is_set) {
            conf.search = split_domains(domain->substr(0, domain->find_first_of(" \t")));
        }
    } else if (const auto search = after_keyword(line, "search"); search && !search->empty()) {
        if (!search_is_set) {
            conf.search = split_domains(*search);
        }
    } else if (auto server = after_keyword(line, "nameserver")) {
        if (const auto s = make_server(take_blank_word(*server), default_port);
            s && conf.servers.size() < most_servers) {
            conf.servers.push_back(*s);
        }
    } else if (const auto list = after_keyword(line, "sortlist")) {
        read_sortlist(conf, *list);
    } else if (const auto options = after_keyword(line, "options")) {
        read_options(conf, *options);
    }
}

void report_name_server(std::string_view word) {
    std::fprintf(stderr,
                 "tendril: TENDRIL_NAMESERVERS: %.*s is not valid: ADDRESS, V4:PORT or [V6]:PORT\n",
                 static_cast<int>(word.size()), word.data());
}

} // namespace

std::vector<server_address> parse_name_servers(std::string_view text) {
    std::string blanks(text);
    std::replace(blanks.begin(), blanks.end(), ',', ' ');
    std::vector<server_address> out;
    for (std::string_view rest = blanks; !rest.empty();) {
        const std::string_view word = take_word(rest);
        std::string_view host = word;
        std::uint16_t port = default_port;
        const std::size_t colon = word.rfind(':');
        const bool bracket = starts_with(word, "[");
        if (colon != std::string_view::npos &&
            (bracket ? word[colon - 1] == ']' : word.find(':') == colon)) {
            const char* end = word.data() + word.size();
            const auto [stop, error] = std::from_chars(word.data() + colon + 1, end, port);
            if (error != std::errc() || stop != end || port == 0) {
                report_name_server(word);
                continue;
            }
            host = word.substr(0, colon);
        }
        if (bracket && host.size() >= 2 && host.back() == ']') {
            host = host.substr(1, host.size() - 2);
        }
        if (word.empty()) {
            continue;
        }
        if (const auto s = make_server(host, port); s && out.size() < most_servers) {
            out.push_back(*s);
        } else if (!s) {
            report_name_server(word);
        }
    }
    return out;
}

resolv_environment resolv_environment::current() {
    resolv_environment e;
    e.local_domain = std::getenv("LOCALDOMAIN");
    e.res_options = std::getenv("RES_OPTIONS");
    e.name_servers = std::getenv("TENDRIL_NAMESERVERS");
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) == 0) {
        e.host_name = name;
    }
    return e;
}

resolv_conf parse_resolv_conf(std::string_view text, const resolv_environment& environment) {
    resolv_conf conf;
    const bool search_is_set = environment.local_domain != nullptr;
    if (search_is_set) {
        const std::string_view domains = environment.local_domain;
        conf.search = split_domains(domains.substr(0, domains.find('\n')));
    }
    for_each_line(text, [&](std::string_view line) {
        if (!line.empty() && line.front() != ';' && line.front() != '#') {
            read_line(conf, line, search_is_set);
        }
    });
    if (environment.name_servers != nullptr) {
        if (auto servers = parse_name_servers(environment.name_servers); !servers.empty()) {
            conf.servers = std::move(servers);
        }
    }
    if (conf.servers.empty()) {
        conf.servers.push_back(*make_server("127.0.0.1", default_port));
    }
    const std::size_t dot = environment.host_name.find('.');
    if (conf.search.empty() && !search_is_set && dot != std::string::npos) {
        conf.search.push_back(environment.host_name.substr(dot + 1));
    }
    if (environment.res_options != nullptr) {
        read_options(conf, environment.res_options);
    }
    return conf;
}

std::shared_ptr<const resolv_conf> current_resolv_conf() {
    static config_file<resolv_conf>& file =
        *new config_file<resolv_conf>(&config_paths::resolv_conf, [](std::string_view text) {
            return parse_resolv_conf(text, resolv_environment::current());
        });
    std::shared_ptr<const resolv_conf> conf = file.get();
    if (conf->no_reload) {
        file.pin();
    }
    return conf;
}

} // namespace tendril::detail::dns
