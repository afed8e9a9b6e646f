// SPDX-License-Identifier: BSL-1.0
#include "dns/address_order.hpp"
#include "dns/config_file.hpp"
#include "dns/hosts.hpp"
#include "dns/nsswitch.hpp"
#include "dns/numeric_address.hpp"
#include "dns/resolv_conf.hpp"
#include "dns/services.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace tendril::detail::dns {
namespace {

ip_address address(const std::string& text) {
    ip_address a;
    EXPECT_EQ(numeric_result::address, parse_numeric(text.c_str(), a)) << text;
    return a;
}

std::string show(const server_address& s) {
    char text[INET6_ADDRSTRLEN] = "?";
    const bool v4 = s.any.sa_family == AF_INET;
    const void* bytes = v4 ? static_cast<const void*>(&s.v4.sin_addr) : &s.v6.sin6_addr;
    inet_ntop(s.any.sa_family, bytes, text, sizeof text);
    return std::string(text) + " " + std::to_string(ntohs(v4 ? s.v4.sin_port : s.v6.sin6_port));
}

std::vector<std::string> show(const std::vector<server_address>& servers) {
    std::vector<std::string> out;
    for (const server_address& s : servers) {
        out.push_back(show(s));
    }
    return out;
}

using strings = std::vector<std::string>;

TEST(resolv_conf, defaults) {
    resolv_environment e;
    e.host_name = "me.example.org";
    const resolv_conf c = parse_resolv_conf("", e);
    EXPECT_EQ((strings{"127.0.0.1 53"}), show(c.servers));
    EXPECT_EQ((strings{"example.org"}), c.search);
    EXPECT_EQ(1u, c.ndots);
    EXPECT_EQ(5, c.timeout);
    EXPECT_EQ(2, c.attempts);
    EXPECT_FALSE(c.rotate || c.edns0 || c.use_vc || c.single_request || c.no_reload || c.no_aaaa);
}

TEST(resolv_conf, everything) {
    const resolv_conf c = parse_resolv_conf(
        "# comment\n;comment\nnameserver 192.0.2.1\nnameserver 127.1 # more\n"
        "nameserver nonsense\nnameserver 2001:db8::1\nnameserver 192.0.2.4\n"
        "domain lost.example\nsearch a.example .\t.b.example\nsortlist 192.0.2.0/255.255.255.0 "
        "10.0.0.1\n"
        "options ndots:99 timeout:99 attempts:99\noptions rotate single-request use-vc\n"
        "options edns0 trust-ad no-reload no-aaaa no-tld-query unknown\nnameserverx 1.2.3.4\n",
        {});
    EXPECT_EQ((strings{"192.0.2.1 53", "127.0.0.1 53", "2001:db8::1 53"}), show(c.servers));
    EXPECT_EQ((strings{"a.example", "", "b.example"}), c.search);
    EXPECT_EQ(15u, c.ndots);
    EXPECT_EQ(30, c.timeout);
    EXPECT_EQ(5, c.attempts);
    EXPECT_TRUE(c.rotate && c.edns0 && c.use_vc && c.single_request && c.no_reload && c.no_aaaa);
    EXPECT_TRUE(c.trust_ad && c.no_tld_query);
    EXPECT_FALSE(c.single_request_reopen);
    ASSERT_EQ(2u, c.sortlist.size());
    EXPECT_EQ(htonl(0xc0000200), c.sortlist[0].address);
    EXPECT_EQ(htonl(0xff000000), c.sortlist[1].mask);
}

TEST(resolv_conf, the_environment) {
    resolv_environment e;
    e.local_domain = "x.example y.example";
    e.res_options = "ndots:3 rotate";
    e.name_servers = "127.0.0.1:5353,[::1]:5354 192.0.2.7,::2,[::3]";
    const resolv_conf c = parse_resolv_conf("nameserver 192.0.2.1\nsearch z.example\n", e);
    EXPECT_EQ((strings{"127.0.0.1 5353", "::1 5354", "192.0.2.7 53"}), show(c.servers));
    EXPECT_EQ((strings{"x.example", "y.example"}), c.search);
    EXPECT_EQ(3u, c.ndots);
    EXPECT_TRUE(c.rotate);
}

TEST(resolv_conf, name_servers_that_make_no_sense_are_reported) {
    testing::internal::CaptureStderr();
    const auto servers =
        parse_name_servers("nonsense,127.0.0.1:x,127.0.0.1:0,127.0.0.1:99999,[::1,,");
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(servers.empty());
    for (const char* word : {"nonsense", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:99999", "[::1"}) {
        EXPECT_NE(std::string::npos,
                  report.find(std::string("TENDRIL_NAMESERVERS: ") + word + " is not valid"))
            << report;
    }
}

TEST(hosts, many_lines_of_one_name) {
    const hosts_file h = hosts_file::parse("192.0.2.1 Main other # third\n::1 main\n"
                                           "192.0.2.2\tfourth main main\nbad main\n192.0.2.3\n"
                                           "::ffff:192.0.2.9 fifth");
    const host_entry all = h.find("MAIN", AF_UNSPEC, true);
    EXPECT_EQ("Main", all.name);
    EXPECT_EQ((strings{"other", "main", "main", "main", "fourth"}), all.aliases);
    EXPECT_EQ((std::vector{address("192.0.2.1"), address("::1"), address("192.0.2.2")}),
              all.addresses);
    EXPECT_EQ(1u, h.find("main", AF_UNSPEC, false).addresses.size());
    EXPECT_EQ((std::vector{address("::1")}), h.find("main", AF_INET6, true).addresses);
    // ::1 and mapped addresses count as IPv4 when that is asked for.
    EXPECT_EQ((std::vector{address("192.0.2.1"), address("127.0.0.1"), address("192.0.2.2")}),
              h.find("main", AF_INET, true).addresses);
    EXPECT_EQ((std::vector{address("192.0.2.9")}), h.find("fifth", AF_INET, true).addresses);
    EXPECT_TRUE(h.find("third", AF_UNSPEC, true).addresses.empty());
    ASSERT_NE(nullptr, h.find(address("192.0.2.2")));
    EXPECT_EQ("fourth", h.find(address("192.0.2.2"))->name);
    EXPECT_EQ(nullptr, h.find(address("192.0.2.3")));
}

std::string show(const host_sources& s) {
    std::string out = s.foreign ? "foreign " : "";
    for (const host_source& x : s.list) {
        out += std::to_string(static_cast<int>(x.kind)) + ':';
        for (const bool b : x.go_on) {
            out += b ? 'c' : 'r';
        }
        out += ' ';
    }
    return out;
}

TEST(nsswitch, sources_and_actions) {
    EXPECT_EQ("0:rccc 1:rccc ", show(parse_nsswitch("")));
    EXPECT_EQ("0:rccc 1:rccc ", show(parse_nsswitch("passwd: files\n# hosts: dns\n")));
    EXPECT_EQ("1:rccc 0:rccc ", show(parse_nsswitch("hosts:dns files")));
    EXPECT_EQ("1:rccc ", show(parse_nsswitch("hosts: files\n  hosts :\tdns\n")));
    EXPECT_EQ(
        "0:rccc 2:rrcc 1:rccc 3:rccc 4:rccc ",
        show(parse_nsswitch("hosts: files mdns4_minimal [NOTFOUND=return] dns myhostname ldap")));
    EXPECT_EQ("4:rrcr 1:rccc ", show(parse_nsswitch("hosts: resolve [!UNAVAIL=return] dns")));
    EXPECT_EQ("0:cccr 1:rccc ",
              show(parse_nsswitch("hosts: files[success=continue TRYAGAIN=return]dns")));
    EXPECT_EQ("foreign 0:rccc ", show(parse_nsswitch("hosts: files [SUCCESS=merge] dns")));
    EXPECT_EQ("foreign 0:rccc ", show(parse_nsswitch("hosts: files [NOTFOUND=return")));
}

TEST(nsswitch, names_that_a_source_cannot_know) {
    EXPECT_TRUE(may_know(source_kind::mdns_minimal, "printer.LOCAL."));
    EXPECT_FALSE(may_know(source_kind::mdns_minimal, "local.example"));
    EXPECT_TRUE(may_know(source_kind::my_host_name, "_gateway"));
    EXPECT_TRUE(may_know(source_kind::my_host_name, "x.localhost"));
    EXPECT_FALSE(may_know(source_kind::my_host_name, "surely.another.example"));
    EXPECT_TRUE(may_know(source_kind::other, "anything"));
}

route way(const std::string& to, const std::string& from = {}, std::uint8_t prefix = 0) {
    route r;
    r.destination = address(to);
    if (!from.empty()) {
        r.source = address(from);
    }
    r.prefix = prefix;
    return r;
}

strings sorted(std::vector<route> routes) {
    sort_routes(routes);
    strings out;
    for (const route& r : routes) {
        char text[INET6_ADDRSTRLEN];
        inet_ntop(r.destination.family, r.destination.bytes.data(), text, sizeof text);
        out.emplace_back(text);
    }
    return out;
}

TEST(address_order, one_rule_after_the_other) {
    // 1: reachable first
    EXPECT_EQ((strings{"198.51.100.1", "2001:db8::1"}),
              sorted({way("2001:db8::1"), way("198.51.100.1", "192.0.2.1")}));
    // 2: matching scope
    EXPECT_EQ((strings{"198.51.100.121", "2001:db8:1::1"}),
              sorted({way("2001:db8:1::1", "fe80::1"), way("198.51.100.121", "198.51.100.117")}));
    // 3: not from a deprecated address
    auto deprecated = way("2001:db8::1", "2001:db8::2");
    deprecated.deprecated = true;
    EXPECT_EQ((strings{"2001:db8::5", "2001:db8::1"}),
              sorted({deprecated, way("2001:db8::5", "2001:db8::6")}));
    // 5: matching label
    EXPECT_EQ((strings{"2002:c633:6401::1", "2001:db8:1::1"}),
              sorted({way("2001:db8:1::1", "2002:c633:6401::2"),
                      way("2002:c633:6401::1", "2002:c633:6401::2")}));
    // 6: precedence
    EXPECT_EQ((strings{"2001:db8:1::1", "10.1.2.3"}),
              sorted({way("10.1.2.3", "10.1.2.4"), way("2001:db8:1::1", "2001:db8:1::2")}));
    // 8: smaller scope
    EXPECT_EQ((strings{"fe80::1", "2001:db8:1::1"}),
              sorted({way("2001:db8:1::1", "2001:db8:1::2"), way("fe80::1", "fe80::2")}));
    // 9: longest prefix, for IPv4 within a network only
    EXPECT_EQ(
        (strings{"2001:db8:1::1", "2001:db8:3ffe::1"}),
        sorted({way("2001:db8:3ffe::1", "2001:db8:1::2"), way("2001:db8:1::1", "2001:db8:1::2")}));
    EXPECT_EQ((strings{"192.0.2.9", "198.51.100.1", "203.0.113.1"}),
              sorted({way("198.51.100.1", "192.0.2.2", 24), way("203.0.113.1", "192.0.2.2", 24),
                      way("192.0.2.9", "192.0.2.2", 24)}));
    // 10: as they came
    EXPECT_EQ((strings{"203.0.113.1", "198.51.100.1"}),
              sorted({way("203.0.113.1"), way("198.51.100.1")}));
}

TEST(config_file, is_read_again_when_it_changes) {
    config_paths p = paths();
    const std::string path = testing::TempDir() + "tendril_hosts_" + std::to_string(::getpid());
    p.hosts = path;
    set_paths(p);
    EXPECT_TRUE(current_hosts()->find("a", AF_UNSPEC, true).addresses.empty()); // no such file
    std::ofstream(path) << "192.0.2.1 a\n";
    const auto before = current_hosts();
    EXPECT_EQ((std::vector{address("192.0.2.1")}), before->find("a", AF_UNSPEC, true).addresses);
    EXPECT_EQ(before, current_hosts());
    std::ofstream(path) << "192.0.2.22 a b\n";
    EXPECT_EQ((std::vector{address("192.0.2.22")}),
              current_hosts()->find("a", AF_UNSPEC, true).addresses);
    EXPECT_EQ((std::vector{address("192.0.2.1")}), before->find("a", AF_UNSPEC, true).addresses);
    ::unlink(path.c_str());
    EXPECT_TRUE(current_hosts()->find("a", AF_UNSPEC, true).addresses.empty());
    set_paths({});
}

TEST(services, by_name_and_by_port) {
    EXPECT_EQ(htons(80), service_port("http", "tcp"));
    EXPECT_EQ(std::nullopt, service_port("nosuchservice", "tcp"));
    EXPECT_EQ("domain", service_name(htons(53), "udp"));
    EXPECT_EQ(std::nullopt, service_name(htons(4), "udp"));
}

} // namespace
} // namespace tendril::detail::dns
