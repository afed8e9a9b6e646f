// SPDX-License-Identifier: BSL-1.0
#include "lib/dns/glibc_comparison.hpp"

#include <string>
#include <vector>

namespace tendril_test {
namespace {

const std::string name_of_300(300, 'x');
const std::string name_of_255 = [] {
    std::string s;
    for (int i = 0; i < 4; ++i) {
        s += std::string(63, 'y') + '.';
    }
    return s.substr(0, 255);
}();
const std::string label_of_64 = std::string(64, 'z') + ".test";

const std::vector<int> families{AF_UNSPEC, AF_INET, AF_INET6};

const std::string hosts_text = "127.0.0.1 localhost loop\n"
                               "::1 localhost ip6-localhost\n"
                               "192.0.2.50 Host.Example host h1 # a comment\n"
                               "192.0.2.51\tother.example host\n"
                               "2001:db8::50 host6.example host\n"
                               "  ::ffff:192.0.2.52 mapped.example\n"
                               "127.1 short.example\n"
                               "not-an-address bad.example\n"
                               "192.0.2.53\n"
                               "192.0.2.54 #nothing\n"
                               "192.0.2.55 both.test\n"
                               "fe80::1%lo scoped.example\n"
                               "192.0.2.56 last.example";

using getaddrinfo_as_glibc = glibc_comparison;

TEST_F(getaddrinfo_as_glibc, numeric_hosts) {
    for (const char* node : {"127.0.0.1",
                             "127.1",
                             "0x7f.1",
                             "0177.0.0.1",
                             "017700000001",
                             "1.2.3.4.5",
                             "1.2.3",
                             "256.1.1.1",
                             "1.2.3.4 x",
                             "1.2.3.4 ",
                             " 1.2.3.4",
                             "4294967295",
                             "4294967296",
                             "0",
                             "0x",
                             "1.2.3.0x100",
                             "::1",
                             "::",
                             "::ffff:1.2.3.4",
                             "::1.2.3.4",
                             "2001:db8::1",
                             "fe80::1%lo",
                             "fe80::1%1",
                             "fe80::1%nosuch",
                             "fe80::1%",
                             "::1%lo",
                             "::1%1",
                             "2001:db8::1%4294967295",
                             "2001:db8::1%4294967296",
                             "ff02::1%lo",
                             "ff01::1%lo",
                             "[::1]",
                             "::1 ",
                             "1::2::3",
                             "12345::",
                             "*"}) {
        for (const int family : families) {
            for (const int flags : {0, AI_NUMERICHOST, AI_V4MAPPED, AI_CANONNAME,
                                    AI_NUMERICHOST | AI_PASSIVE | AI_CANONNAME,
                                    AI_V4MAPPED | AI_ALL | AI_NUMERICHOST}) {
                compare(node, "80", {flags, family, SOCK_STREAM});
            }
        }
    }
}

TEST_F(getaddrinfo_as_glibc, no_host) {
    for (const char* service :
         {static_cast<const char*>(nullptr), "80", "http", "*", "", "nosuch"}) {
        for (const int family : families) {
            for (const int flags : {0, AI_PASSIVE, AI_CANONNAME, AI_V4MAPPED, AI_ADDRCONFIG,
                                    AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV}) {
                compare(nullptr, service, {flags, family});
                compare("*", service, {flags, family});
            }
        }
        compare(nullptr, service, {.null = true});
    }
}

TEST_F(getaddrinfo_as_glibc, services_and_socket_types) {
    for (const char* service : {static_cast<const char*>(nullptr),
                                "",
                                "0",
                                "80",
                                "65535",
                                "65536",
                                "70000",
                                "-1",
                                "+80",
                                " 80",
                                "80 ",
                                "0x50",
                                "99999999999999999999",
                                "http",
                                "domain",
                                "HTTP",
                                "tftp",
                                "echo",
                                "ntp",
                                "syslog",
                                "nosuch",
                                "ht tp"}) {
        for (const int type : {0, int{SOCK_STREAM}, int{SOCK_DGRAM}, int{SOCK_RAW},
                               int{SOCK_SEQPACKET}, int{SOCK_DCCP}, int{SOCK_RDM}, 99}) {
            for (const int protocol : {0, int{IPPROTO_TCP}, int{IPPROTO_UDP}, int{IPPROTO_UDPLITE},
                                       int{IPPROTO_SCTP}, int{IPPROTO_ICMP}, 255}) {
                compare("192.0.2.1", service, {0, AF_INET, type, protocol});
            }
            compare("192.0.2.1", service, {AI_NUMERICSERV, AF_UNSPEC, type});
        }
    }
}

TEST_F(getaddrinfo_as_glibc, bad_hints) {
    for (const int flags : {0x4000, 0x800, AI_IDN, AI_CANONIDN, 0x300, -1}) {
        compare("192.0.2.1", "80", {flags});
    }
    for (const int family : {int{AF_UNIX}, int{AF_NETLINK}, -1, 99}) {
        compare("192.0.2.1", "80", {0, family});
    }
}

TEST_F(getaddrinfo_as_glibc, names_by_dns) {
    for (const char* node : {"v4.test",      "v6.test",       "both.test",      "BOTH.Test",
                             "both.test.",   "many.test",     "sorted.test",    "alias.test",
                             "chain1.test",  "nowhere.test",  "loop1.test",     "badalias.test",
                             "under.test",   "nodata.test",   "nx.test",        "first.chain.test",
                             "a-nx.test",    "aaaa-nx.test",  "a-formerr.test", "aaaa-formerr.test",
                             "formerr.test", "yxdomain.test", "good.test"}) {
        for (const int family : families) {
            for (const int flags :
                 {0, AI_CANONNAME, AI_V4MAPPED, AI_V4MAPPED | AI_ALL, AI_ADDRCONFIG, AI_NUMERICHOST,
                  AI_V4MAPPED | AI_ALL | AI_CANONNAME | AI_ADDRCONFIG}) {
                compare(node, "80", {flags, family, SOCK_STREAM});
            }
        }
        compare(node, nullptr, {.null = true});
        compare(node, "domain", {});
    }
}

TEST_F(getaddrinfo_as_glibc, odd_names) {
    for (const char* node : {"",
                             ".",
                             "..",
                             "a..b.test",
                             ".a.test",
                             "test..",
                             "local host",
                             "under_score.test",
                             "-dash.test",
                             "star.*.test",
                             "back\\slash.test",
                             "\xc3\xbcml\xc3\xa4ut.test",
                             "a/b.test",
                             "1.2.3.4.",
                             "12",
                             "1a.test",
                             "a:b",
                             "abcd:",
                             label_of_64.c_str(),
                             name_of_255.c_str(),
                             name_of_300.c_str()}) {
        for (const int family : families) {
            for (const int flags : {0, AI_CANONNAME, AI_IDN, AI_IDN | AI_CANONNAME | AI_CANONIDN}) {
                compare(node, "80", {flags, family, SOCK_STREAM});
            }
        }
    }
}

TEST_F(getaddrinfo_as_glibc, hosts_file) {
    use("nameserver 127.0.0.1\n", "hosts: files dns\n", hosts_text);
    for (const char* node :
         {"localhost", "LOCALHOST", "loop", "ip6-localhost", "host.example", "host", "HOST", "h1",
          "other.example", "host6.example", "mapped.example", "short.example", "bad.example",
          "both.test", "scoped.example", "last.example", "host.", "#nothing"}) {
        for (const int family : families) {
            for (const int flags :
                 {0, AI_CANONNAME, AI_V4MAPPED, AI_V4MAPPED | AI_ALL, AI_ADDRCONFIG}) {
                compare(node, "80", {flags, family, SOCK_STREAM});
            }
        }
    }
}

TEST_F(getaddrinfo_as_glibc, order_of_sources) {
    for (const char* nsswitch :
         {"", "hosts: files\n", "hosts: dns\n", "hosts: dns files\n",
          "hosts: files [NOTFOUND=return] dns\n", "hosts: dns [!UNAVAIL=return] files\n",
          "hosts: files [SUCCESS=continue] dns\n",
          "hosts: dns [NOTFOUND=return TRYAGAIN=continue] files\n",
          "hosts: files nosuchmodule dns\n", "hosts: nosuchmodule files dns\n",
          "hosts: mdns4_minimal [NOTFOUND=return] files dns\n", "hosts: files myhostname dns\n",
          "hosts: files [success=merge] dns\n", "hosts:files dns # comment\n", " hosts :\tdns\n"}) {
        SCOPED_TRACE(nsswitch);
        use("nameserver 127.0.0.1\noptions attempts:1\n", nsswitch, hosts_text);
        // We ask dns first, and then libc for the whole, when the name may be in a later source.
        const bool count = std::string(nsswitch).find("dns #") == std::string::npos;
        for (const char* node : {"both.test", "host", "v4.test", "nx.test", "servfail.test",
                                 "nodata.test", "printer.local"}) {
            for (const int family : families) {
                compare(node, "80", {AI_CANONNAME, family, SOCK_STREAM}, count);
                compare(node, "80", {0, family, SOCK_STREAM}, count);
            }
        }
    }
}

TEST_F(getaddrinfo_as_glibc, search_list) {
    for (const char* conf :
         {"search one.test two.test\n", "search two.test one.test\n", "domain two.test\n",
          "search one.test two.test\noptions ndots:0\n",
          "search one.test two.test\noptions ndots:2\n",
          "search one.test two.test\noptions ndots:15\n", "search . two.test\n",
          "search one.test\ndomain two.test\n", "domain one.test\nsearch two.test .\n",
          "search .two.test\n", "search\n", "search servfail.test two.test\n",
          "search refused.test two.test\n", "search formerr.test two.test\n",
          "search one.test two.test\noptions no-tld-query\n", "options no_tld_query ndots:3\n",
          "search one.test\t two.test # three.test\n"}) {
        SCOPED_TRACE(conf);
        use(std::string("nameserver 127.0.0.1\noptions attempts:1\n") + conf);
        for (const char* node : {"www", "www.", "only", "sub.www", "txt", "bare", "nx", "v4.test",
                                 "nx.test", "a.b.c.d.nx", "servfail", "nodata.test"}) {
            for (const int family : families) {
                compare(node, "80", {AI_CANONNAME, family, SOCK_STREAM});
            }
            compare(node, "80", {0, AF_INET, SOCK_STREAM});
        }
        compare(name_of_255.c_str(), "80", {});
    }
}

TEST_F(getaddrinfo_as_glibc, resolv_conf_forms) {
    for (const char* conf :
         {"", "# nameserver 127.0.0.2\n", "nameserver 127.0.0.2 trailing words\n",
          "nameserver 127.2\nnameserver 127.0.0.1\n", " nameserver 127.0.0.2\n",
          "nameserver\t127.0.0.2\n", "nameserver 127.0.0.2", "nameserver nonsense\n",
          "nameserver ::ffff:127.0.0.2\n", "nameserver ::1%nosuch\nnameserver 127.0.0.2\n",
          "nameserver 127.0.0.2\nnameserver 127.0.0.1\n",
          "nameserver 127.0.0.3\nnameserver 127.0.0.2\n",
          "nameserver 127.0.0.3\nnameserver 127.0.0.3\nnameserver 127.0.0.3\nnameserver "
          "127.0.0.1\n",
          "nameserver 127.0.0.1\noptions no-aaaa\n",
          "nameserver 127.0.0.1\noptions edns0 trust-ad\n",
          "nameserver 127.0.0.1\noptions single-request\n",
          "nameserver 127.0.0.1\noptions single-request-reopen\n",
          "nameserver 127.0.0.1\nsortlist 198.51.100.192/255.255.255.248 198.51.100.0\n",
          "; comment\noptions attempts:1\noptions timeout:1 unknown:3 ndots:x\nnameserver "
          "127.0.0.1\n"}) {
        SCOPED_TRACE(conf);
        use(conf);
        for (const char* node : {"both.test", "many.test", "alias.test", "nx.test"}) {
            for (const int family : families) {
                compare(node, "80", {AI_CANONNAME, family, SOCK_STREAM});
            }
            compare(node, "80", {0, AF_INET, SOCK_STREAM});
        }
    }
}

} // namespace
} // namespace tendril_test
