// SPDX-License-Identifier: BSL-1.0
#include "lib/dns/glibc_comparison.hpp"

#include "dns/netdb.hpp"
#include "support/private_network.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace tendril_test {

namespace netdb = tendril::detail::netdb;

namespace {

const std::string& entered() {
    static const std::string reason = enter_private_network();
    return reason;
}

std::string show(const sockaddr* sa, socklen_t size) {
    if (sa == nullptr) {
        return "null";
    }
    char text[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_INET) {
        sockaddr_in a;
        std::memcpy(&a, sa, sizeof a);
        inet_ntop(AF_INET, &a.sin_addr, text, sizeof text);
        return std::string(text) + ':' + std::to_string(ntohs(a.sin_port)) + '/' +
               std::to_string(size);
    }
    sockaddr_in6 a;
    std::memcpy(&a, sa, sizeof a);
    inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof text);
    return '[' + std::string(text) + '%' + std::to_string(a.sin6_scope_id) +
           "]:" + std::to_string(ntohs(a.sin6_port)) + '/' + std::to_string(size) + " flow " +
           std::to_string(a.sin6_flowinfo);
}

std::string show_code(int code, int error) {
    if (code == 0) {
        return "ok";
    }
    std::string out = std::to_string(code) + ' ' + gai_strerror(code);
    return code == EAI_SYSTEM ? out + ": " + std::strerror(error) : out;
}

std::string show(int code, int error, const addrinfo* list) {
    std::string out = show_code(code, error);
    for (const addrinfo* a = code == 0 ? list : nullptr; a != nullptr; a = a->ai_next) {
        out += "\n  " + show(a->ai_addr, a->ai_addrlen) + " family " +
               std::to_string(a->ai_family) + " type " + std::to_string(a->ai_socktype) +
               " protocol " + std::to_string(a->ai_protocol) + " flags " +
               std::to_string(a->ai_flags);
        if (a->ai_canonname != nullptr) {
            out += " canonical " + std::string(a->ai_canonname);
        }
    }
    return out;
}

std::string show(int code, int h_error, const hostent* h) {
    std::string out = "code " + std::to_string(code);
    if (h == nullptr) {
        return out + " h_errno " + std::to_string(h_error);
    }
    out += " " + std::string(h->h_name) + " type " + std::to_string(h->h_addrtype) + " length " +
           std::to_string(h->h_length);
    for (char** a = h->h_aliases; *a != nullptr; ++a) {
        out += " alias " + std::string(*a);
    }
    for (char** a = h->h_addr_list; *a != nullptr; ++a) {
        char text[INET6_ADDRSTRLEN] = "?";
        inet_ntop(h->h_addrtype, *a, text, sizeof text);
        out += " " + std::string(text);
    }
    return out;
}

std::string quoted(const char* text) {
    return text == nullptr ? "NULL" : '"' + std::string(text) + '"';
}

} // namespace

addrinfo hints_spec::make() const {
    addrinfo h{};
    h.ai_flags = flags;
    h.ai_family = family;
    h.ai_socktype = type;
    h.ai_protocol = protocol;
    return h;
}

std::string hints_spec::text() const {
    if (null) {
        return "null hints";
    }
    static const std::map<int, const char*> names{
        {AI_PASSIVE, "PASSIVE"},
        {AI_CANONNAME, "CANONNAME"},
        {AI_NUMERICHOST, "NUMERICHOST"},
        {AI_V4MAPPED, "V4MAPPED"},
        {AI_ALL, "ALL"},
        {AI_ADDRCONFIG, "ADDRCONFIG"},
        {AI_NUMERICSERV, "NUMERICSERV"},
        {AI_IDN, "IDN"},
        {AI_CANONIDN, "CANONIDN"},
    };
    std::string out = "flags";
    for (const auto& [bit, name] : names) {
        out += (flags & bit) != 0 ? std::string(" ") + name : "";
    }
    return out + " family " + std::to_string(family) + " type " + std::to_string(type) +
           " protocol " + std::to_string(protocol);
}

void glibc_comparison::SetUp() {
    if (!entered().empty()) {
        GTEST_SKIP() << "SKIPPED: " << entered();
    }
    for (const char* address : {"127.0.0.1", "127.0.0.2"}) {
        servers_.push_back(std::make_unique<dns_server>(odd_zone, address, std::uint16_t{53}));
    }
    use("nameserver 127.0.0.1\n");
}

void glibc_comparison::use(const std::string& resolv_conf, const std::string& nsswitch,
                           const std::string& hosts) {
    replace_in_etc("resolv.conf", resolv_conf);
    replace_in_etc("nsswitch.conf", nsswitch + "services: files\n");
    replace_in_etc("hosts", hosts);
}

std::vector<std::string> glibc_comparison::take_questions() {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        for (const dns_question& q : servers_[i]->take_seen()) {
            out.push_back("server " + std::to_string(i + 1) + ' ' + q.name + " type " +
                          std::to_string(q.type) + (q.tcp ? " tcp" : " udp") +
                          (q.edns ? " edns" : ""));
        }
    }
    return out;
}

void glibc_comparison::compare(const char* node, const char* service, const hints_spec& h,
                               bool count_queries) {
    SCOPED_TRACE(quoted(node) + ' ' + quoted(service) + ' ' + h.text());
    const addrinfo hints = h.make();
    const addrinfo* const given = h.null ? nullptr : &hints;
    addrinfo* list = nullptr;
    take_questions();

    errno = 0;
    int code = ::getaddrinfo(node, service, given, &list);
    const std::string libc = show(code, errno, list);
    const std::vector<std::string> libc_questions = take_questions();
    if (code == 0) {
        netdb::freeaddrinfo(list); // on purpose the other one's: the allocator is the same
    }

    netdb::options o;
    list = nullptr;
    errno = 0;
    code = netdb::getaddrinfo(node, service, given, &list, o);
    const std::string ours = show(code, errno, list);
    if (code == 0) {
        ::freeaddrinfo(list);
    }
    EXPECT_EQ(libc, ours);
    const std::vector<std::string> our_questions = take_questions();
    if (count_queries) {
        EXPECT_EQ(libc_questions, our_questions);
    }
}

void glibc_comparison::compare_names(const char* address, std::uint16_t port, int flags,
                                     std::uint32_t scope) {
    SCOPED_TRACE(std::string(address) + " port " + std::to_string(port) + " flags " +
                 std::to_string(flags));
    sockaddr_storage ss{};
    socklen_t size = sizeof(sockaddr_in);
    auto* v4 = reinterpret_cast<sockaddr_in*>(&ss);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&ss);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
    } else {
        ASSERT_EQ(1, inet_pton(AF_INET6, address, &v6->sin6_addr));
        v6->sin6_family = AF_INET6;
        v6->sin6_scope_id = scope;
        size = sizeof(sockaddr_in6);
    }
    v4->sin_port = htons(port);
    for (const socklen_t host_size : {socklen_t{NI_MAXHOST}, socklen_t{5}, socklen_t{0}}) {
        char host[NI_MAXHOST] = "unset";
        char service[NI_MAXSERV] = "unset";
        const auto* sa = reinterpret_cast<const sockaddr*>(&ss);
        take_questions();
        errno = 0;
        int code = ::getnameinfo(sa, size, host, host_size, service, sizeof service, flags);
        const std::string libc =
            show_code(code, errno) + (code == 0 ? std::string(" ") + host + ' ' + service : "");
        const std::vector<std::string> libc_questions = take_questions();

        std::strcpy(host, "unset");
        std::strcpy(service, "unset");
        netdb::options o;
        errno = 0;
        code = netdb::getnameinfo(sa, size, host, host_size, service, sizeof service, flags, o);
        EXPECT_EQ(libc, show_code(code, errno) +
                            (code == 0 ? std::string(" ") + host + ' ' + service : ""));
        if ((flags & NI_NOFQDN) == 0) { // libc asks for this host's domain once
            EXPECT_EQ(libc_questions, take_questions());
        }
    }
}

void glibc_comparison::compare_host(const char* name, int family) {
    SCOPED_TRACE(std::string(name) + " family " + std::to_string(family));
    for (const std::size_t size : {std::size_t{8192}, std::size_t{16}}) {
        std::vector<char> buffer(size);
        hostent entry{};
        hostent* result = nullptr;
        int h_error = 0;
        take_questions();
        int code = ::gethostbyname2_r(name, family, &entry, buffer.data(), size, &result, &h_error);
        const std::string libc = show(code, h_error, result);
        const bool found = result != nullptr;
        const std::vector<std::string> libc_questions = take_questions();

        netdb::options o;
        h_error = 0;
        code = netdb::gethostbyname2_r(name, family, &entry, buffer.data(), size, &result, &h_error,
                                       o);
        EXPECT_EQ(libc, show(code, h_error, result)) << "buffer of " << size;
        if (size > 1000) { // libc needs room before it asks
            EXPECT_EQ(libc_questions, take_questions());
        }
        if (!found) {
            break; // and room even to find nothing
        }
    }
    h_errno = 0;
    const hostent* h = ::gethostbyname2(name, family);
    const std::string libc = show(0, h_errno, h);
    netdb::options o;
    h_errno = 0;
    h = netdb::gethostbyname2(name, family, o);
    EXPECT_EQ(libc, show(0, h_errno, h));
}

void glibc_comparison::compare_host_address(const char* address) {
    SCOPED_TRACE(address);
    unsigned char bytes[16];
    const int family = std::strchr(address, ':') != nullptr ? AF_INET6 : AF_INET;
    ASSERT_EQ(1, inet_pton(family, address, bytes));
    const socklen_t length = family == AF_INET ? 4 : 16;
    char buffer[4096];
    hostent entry{};
    hostent* result = nullptr;
    int h_error = 0;
    take_questions();
    int code =
        ::gethostbyaddr_r(bytes, length, family, &entry, buffer, sizeof buffer, &result, &h_error);
    const std::string libc = show(code, h_error, result);
    const std::vector<std::string> libc_questions = take_questions();
    netdb::options o;
    h_error = 0;
    code = netdb::gethostbyaddr_r(bytes, length, family, &entry, buffer, sizeof buffer, &result,
                                  &h_error, o);
    EXPECT_EQ(libc, show(code, h_error, result));
    EXPECT_EQ(libc_questions, take_questions());
}

// ------------------------------------------------------------------------------------- the zone

namespace {

dns_zone make_zone() {
    dns_zone z;
    z.address("v4.test", "192.0.2.10").address("v6.test", "2001:db8::10");
    z.address("both.test", "192.0.2.11").address("both.test", "2001:db8::11");
    for (int i = 0; i < 12; ++i) {
        z.address("many.test", "198.51.100." + std::to_string(200 - i));
        z.address("many.test", "2001:db8:1::" + std::to_string(i));
    }
    // One of each kind that the order of addresses knows.
    for (const char* a :
         {"203.0.113.1", "192.0.2.77", "192.0.2.3", "127.0.0.9", "169.254.1.1", "10.1.2.3",
          "2002:c000:204::1", "2001:db8::77", "2001:db8:0:0:8000::1", "fe80::1", "fec0::1",
          "fc00::1", "2001::1", "::ffff:192.0.2.5", "::1", "ff02::1", "2600::1"}) {
        z.address("sorted.test", a);
    }
    z.alias("alias.test", "both.test").alias("chain1.test", "chain2.test");
    z.alias("chain2.test", "Chain3.Test").alias("chain3.test", "both.test");
    z.alias("nowhere.test", "gone.example").alias("loop1.test", "loop2.test");
    z.alias("loop2.test", "loop1.test").alias("badalias.test", "not a host.test");
    z.alias("under.test", "_srv.test").address("_srv.test", "192.0.2.12");
    z.address("not a host.test", "192.0.2.13");
    z.add({"nodata.test", dns_type::txt, {1, 'x'}});
    z.address("www.one.test", "192.0.2.21").address("www.two.test", "192.0.2.22");
    z.address("only.two.test", "192.0.2.23").address("sub.www.two.test", "192.0.2.24");
    z.add({"txt.one.test", dns_type::txt, {1, 'x'}}).address("txt.two.test", "192.0.2.25");
    z.address("bare", "192.0.2.26");
    z.add(ptr_record("10.2.0.192.in-addr.arpa", "v4.test"));
    z.add(ptr_record("11.2.0.192.in-addr.arpa", "First.test"));
    z.add(ptr_record("11.2.0.192.in-addr.arpa", "second.test"));
    z.add(ptr_record("12.2.0.192.in-addr.arpa", "not a host"));
    z.alias("13.2.0.192.in-addr.arpa", "13.sub.2.0.192.in-addr.arpa");
    z.add(ptr_record("13.sub.2.0.192.in-addr.arpa", "delegated.test"));
    z.add({"14.2.0.192.in-addr.arpa", dns_type::txt, {1, 'x'}});
    z.add(ptr_record("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                     "v6.test"));
    z.alias("first.chain.test", "192.0.2.1");
    return z;
}

} // namespace

dns_answer odd_zone(const dns_question& q) {
    static const dns_zone zone = make_zone();
    const std::string name = q.lower();
    const bool a = q.type == dns_type::a;
    const auto starts = [&name](const char* s) { return name.rfind(s, 0) == 0; };
    dns_question both = q;
    both.name = "both.test";
    dns_answer good = zone(both);
    for (dns_record& r : good.records) {
        r.name = q.name;
    }
    if (starts("servfail.")) {
        return {.rcode = dns_rcode::servfail};
    }
    if (starts("refused.")) {
        return {.rcode = dns_rcode::refused};
    }
    if (starts("notimp.")) {
        return {.rcode = dns_rcode::notimp};
    }
    if (starts("formerr.")) {
        return {.rcode = dns_rcode::formerr};
    }
    if (starts("yxdomain.")) {
        return {.rcode = 6};
    }
    if (starts("a-servfail.") || starts("aaaa-servfail.")) {
        return a == starts("a-") ? dns_answer{.rcode = dns_rcode::servfail} : good;
    }
    if (starts("a-nx.") || starts("aaaa-nx.")) {
        return a == starts("a-") ? dns_answer{.rcode = dns_rcode::nxdomain} : good;
    }
    if (starts("a-formerr.") || starts("aaaa-formerr.")) {
        return a == starts("a-") ? dns_answer{.rcode = dns_rcode::formerr} : good;
    }
    if (starts("short.")) {
        return {.rcode = dns_rcode::refused, .header_only = true};
    }
    if (starts("lame.")) {
        return {.authoritative = false, .recursion = false};
    }
    if (starts("forged.")) {
        good.forged_id = good.forged_question = true;
    } else if (starts("garbage.")) {
        good.garbage = true;
    } else if (starts("truncated.")) {
        good.truncated = true;
    } else if (starts("cut.")) {
        good.broken_records = true;
    } else if (!starts("good.")) {
        return zone(q);
    }
    return good;
}

} // namespace tendril_test
