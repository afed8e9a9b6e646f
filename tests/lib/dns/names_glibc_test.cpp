// SPDX-License-Identifier: BSL-1.0
#include "lib/dns/glibc_comparison.hpp"

#include "dns/netdb.hpp"

#include <net/if.h>
#include <sys/un.h>

#include <cstring>
#include <string>

namespace tendril_test {
namespace {

using names_as_glibc = glibc_comparison;
namespace netdb = tendril::detail::netdb;

const std::string hosts_text = "127.0.0.1 localhost loop\n"
                               "::1 localhost ip6-localhost\n"
                               "192.0.2.50 Host.Example host h1\n"
                               "192.0.2.51 other.example host\n"
                               "2001:db8::50 host6.example host\n"
                               "::ffff:192.0.2.52 mapped.example\n";

TEST_F(names_as_glibc, gethostbyname) {
    use("nameserver 127.0.0.1\nsearch two.test\noptions attempts:1\n"
        "sortlist 198.51.100.192/255.255.255.248\n",
        "hosts: files dns\n", hosts_text);
    for (const char* name : {"localhost",
                             "host",
                             "H1",
                             "other.example",
                             "host6.example",
                             "mapped.example",
                             "v4.test",
                             "v6.test",
                             "both.test",
                             "alias.test",
                             "chain1.test",
                             "many.test",
                             "nx.test",
                             "nodata.test",
                             "nowhere.test",
                             "badalias.test",
                             "servfail.test",
                             "refused.test",
                             "formerr.test",
                             "www",
                             "127.0.0.1",
                             "127.1",
                             "1.2.3.4.5",
                             "1.2.3.4.",
                             "::1",
                             "::1.",
                             "abcd:",
                             ":x",
                             "a:b",
                             "a b.test",
                             "",
                             "cut.test"}) {
        for (const int family : {AF_INET, AF_INET6}) {
            compare_host(name, family);
        }
    }
}

TEST_F(names_as_glibc, gethostbyaddr) {
    use("nameserver 127.0.0.1\noptions attempts:1\n", "hosts: files dns\n", hosts_text);
    for (const char* address :
         {"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.50",
          "192.0.2.52", "192.0.2.99", "127.0.0.1", "0.0.0.0", "::1", "2001:db8::10", "2001:db8::50",
          "2001:db8::99", "::ffff:192.0.2.10", "::192.0.2.10", "::ffff:192.0.2.52", "::"}) {
        compare_host_address(address);
    }
}

// From here on glibc reads no configuration again: looking up :: leaves its resolver in use.

TEST_F(names_as_glibc, getnameinfo_addresses) {
    use("nameserver 127.0.0.1\n", "hosts: files dns\n", hosts_text);
    const std::uint32_t lo = if_nametoindex("lo");
    for (const char* address : {"192.0.2.10",
                                "192.0.2.11",
                                "192.0.2.12",
                                "192.0.2.13",
                                "192.0.2.14",
                                "192.0.2.50",
                                "192.0.2.52",
                                "192.0.2.99",
                                "127.0.0.1",
                                "0.0.0.0",
                                "255.255.255.255",
                                "::1",
                                "::",
                                "2001:db8::10",
                                "2001:db8::50",
                                "2001:db8::99",
                                "::ffff:192.0.2.10",
                                "::192.0.2.10",
                                "::ffff:192.0.2.52",
                                "fe80::1",
                                "ff02::1"}) {
        for (const int flags :
             {0, NI_NUMERICHOST, NI_NUMERICSERV, NI_NAMEREQD, NI_DGRAM,
              NI_NUMERICHOST | NI_NAMEREQD, NI_NUMERICHOST | NI_NUMERICSERV, NI_NOFQDN,
#ifndef TENDRIL_ASAN // libunistring, which libc asks then, leaks
              NI_IDN,
#endif
              0x4000}) {
            compare_names(address, 80, flags, lo);
            compare_names(address, 514, flags);
            compare_names(address, 4, flags, 99);
        }
    }
}

TEST_F(names_as_glibc, getnameinfo_of_bad_arguments) {
    sockaddr_storage ss{};
    netdb::options o;
    char host[NI_MAXHOST];
    const auto* sa = reinterpret_cast<const sockaddr*>(&ss);
    for (const int family : {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX, AF_NETLINK}) {
        ss.ss_family = static_cast<sa_family_t>(family);
        for (const socklen_t size : {0u, 1u, 2u, 15u, 16u, 27u, 28u, 110u}) {
            for (const int flags : {0, NI_NUMERICHOST, NI_NAMEREQD}) {
                SCOPED_TRACE(std::to_string(family) + ' ' + std::to_string(size));
                EXPECT_EQ(::getnameinfo(sa, size, host, sizeof host, nullptr, 0, flags),
                          netdb::getnameinfo(sa, size, host, sizeof host, nullptr, 0, flags, o));
                EXPECT_EQ(::getnameinfo(sa, size, nullptr, 0, nullptr, 0, flags),
                          netdb::getnameinfo(sa, size, nullptr, 0, nullptr, 0, flags, o));
            }
        }
    }
    EXPECT_EQ(EAI_FAMILY, netdb::getnameinfo(nullptr, 16, host, sizeof host, nullptr, 0, 0, o));
}

TEST_F(names_as_glibc, getnameinfo_of_a_unix_address) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::strcpy(un.sun_path, "/run/some.socket");
    netdb::options o;
    for (const int flags : {0, NI_NUMERICHOST, NI_NAMEREQD}) {
        char h1[NI_MAXHOST] = "";
        char h2[NI_MAXHOST] = "";
        char s1[200] = "";
        char s2[200] = "";
        const auto* sa = reinterpret_cast<const sockaddr*>(&un);
        EXPECT_EQ(::getnameinfo(sa, sizeof un, h1, sizeof h1, s1, sizeof s1, flags),
                  netdb::getnameinfo(sa, sizeof un, h2, sizeof h2, s2, sizeof s2, flags, o));
        EXPECT_STREQ(h1, h2);
        EXPECT_STREQ(s1, s2);
    }
}

} // namespace
} // namespace tendril_test
