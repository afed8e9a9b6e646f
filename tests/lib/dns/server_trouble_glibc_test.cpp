// SPDX-License-Identifier: BSL-1.0
#include "lib/dns/glibc_comparison.hpp"

#include <string>

namespace tendril_test {
namespace {

using server_trouble_as_glibc = glibc_comparison;

void silent(dns_server& s) {
    s.set_script([](const dns_question&) { return dns_answer{.silent = true}; });
}

TEST_F(server_trouble_as_glibc, error_answers) {
    for (const char* conf :
         {"nameserver 127.0.0.1\n", "nameserver 127.0.0.1\nnameserver 127.0.0.2\n",
          "nameserver 127.0.0.1\noptions attempts:4\n"}) {
        SCOPED_TRACE(conf);
        use(conf);
        for (const char* node :
             {"servfail.test", "refused.test", "notimp.test", "formerr.test", "short.test",
              "lame.test", "a-servfail.test", "aaaa-servfail.test"}) {
            for (const int family : {AF_UNSPEC, AF_INET, AF_INET6}) {
                compare(node, "80", {0, family, SOCK_STREAM});
                compare(node, "80", {AI_CANONNAME | AI_V4MAPPED, family, SOCK_STREAM});
            }
        }
    }
}

TEST_F(server_trouble_as_glibc, forged_garbage_and_cut_answers) {
    for (const char* node : {"forged.test", "garbage.test", "cut.test"}) {
        for (const int family : {AF_UNSPEC, AF_INET, AF_INET6}) {
            compare(node, "80", {AI_CANONNAME, family, SOCK_STREAM});
            compare(node, "80", {0, family, SOCK_STREAM});
        }
    }
}

TEST_F(server_trouble_as_glibc, truncated_answers_go_over_tcp) {
    for (const int family : {AF_INET, AF_INET6}) {
        compare("truncated.test", "80", {AI_CANONNAME, family, SOCK_STREAM});
    }
    // Both families: glibc leaves UDP at the first truncated answer, we read the other one too.
    compare("truncated.test", "80", {AI_CANONNAME, AF_UNSPEC, SOCK_STREAM});
}

TEST_F(server_trouble_as_glibc, use_vc) {
    use("nameserver 127.0.0.1\noptions use-vc\n");
    for (const char* node : {"both.test", "nx.test", "servfail.test", "nodata.test"}) {
        for (const int family : {AF_UNSPEC, AF_INET, AF_INET6}) {
            compare(node, "80", {AI_CANONNAME, family, SOCK_STREAM});
        }
    }
    use("nameserver 127.0.0.3\nnameserver 127.0.0.2\noptions use-vc\n");
    compare("both.test", "80", {});
    use("nameserver 127.0.0.3\noptions use-vc\n");
    compare("both.test", "80", {});
}

TEST_F(server_trouble_as_glibc, nobody_listens) {
    use("nameserver 127.0.0.3\nnameserver 127.0.0.3\nsearch one.test two.test\n");
    for (const int family : {AF_UNSPEC, AF_INET, AF_INET6}) {
        compare("both.test", "80", {0, family, SOCK_STREAM});
        compare("www", "80", {AI_CANONNAME, family, SOCK_STREAM});
    }
}

// The number of questions is the number of attempts, so it stands for the time.
TEST_F(server_trouble_as_glibc, a_silent_server) {
    use("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n");
    silent(first());
    compare("both.test", "80", {0, AF_UNSPEC, SOCK_STREAM});
}

TEST_F(server_trouble_as_glibc, a_silent_server_before_a_good_one) {
    use("nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions timeout:1 attempts:3\n");
    silent(first());
    compare("both.test", "80", {0, AF_UNSPEC, SOCK_STREAM});
}

TEST_F(server_trouble_as_glibc, a_silent_server_and_a_search_list) {
    use("nameserver 127.0.0.1\nsearch one.test two.test\noptions timeout:1 attempts:1\n");
    silent(first());
    compare("www", "80", {0, AF_INET, SOCK_STREAM});
}

TEST_F(server_trouble_as_glibc, one_of_two_questions_is_never_answered) {
    use("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n");
    first().set_script([](const dns_question& q) {
        return q.type == dns_type::aaaa ? dns_answer{.silent = true} : odd_zone(q);
    });
    compare("both.test", "80", {0, AF_UNSPEC, SOCK_STREAM});
}

TEST_F(server_trouble_as_glibc, the_file_changes) {
    use("nameserver 127.0.0.1\n");
    compare("www.one.test", "80", {});
    use("nameserver 127.0.0.2\nsearch two.test\n");
    compare("www", "80", {});
    use("nameserver 127.0.0.1\noptions no-reload\n", "hosts: dns\n");
    compare("www.one.test", "80", {});
}

} // namespace
} // namespace tendril_test
