// SPDX-License-Identifier: BSL-1.0
// TENDRIL_RESOLVER is read once, so each value gets a process of its own.
#include "dns/mode.hpp"
#include "dns/netdb.hpp"

#include <tendril/hub.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

namespace {

namespace netdb = tendril::detail::netdb;
using tendril::detail::dns::mode;
using tendril::detail::dns::resolver_mode;

/// 0 if all three kinds of call find localhost, and waited as said.
int look_up(bool expect_wait) {
    netdb::options o;
    addrinfo* list = nullptr;
    if (netdb::getaddrinfo("localhost", "80", nullptr, &list, o) != 0 || o.waited != expect_wait) {
        return 1;
    }
    char host[NI_MAXHOST];
    const int code =
        netdb::getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, nullptr, 0, 0, o);
    netdb::freeaddrinfo(list);
    if (code != 0 || o.waited != expect_wait) {
        return 2;
    }
    const hostent* h = netdb::gethostbyname("localhost", o);
    if (h == nullptr || o.waited != expect_wait) {
        return 3;
    }
    h = netdb::gethostbyaddr(h->h_addr_list[0], static_cast<socklen_t>(h->h_length), h->h_addrtype,
                             o);
    return h == nullptr || o.waited != expect_wait ? 4 : 0;
}

TEST(resolver_mode_death_test, thread) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            ::setenv("TENDRIL_RESOLVER", "thread", 1);
            std::exit(mode() == resolver_mode::thread ? look_up(true) : 10);
        },
        testing::ExitedWithCode(0), "");
}

TEST(resolver_mode_death_test, block) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            ::setenv("TENDRIL_RESOLVER", "block", 1);
            std::exit(mode() == resolver_mode::block ? look_up(false) : 10);
        },
        testing::ExitedWithCode(0), "");
}

TEST(resolver_mode_death_test, unknown_names_are_reported) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            ::setenv("TENDRIL_RESOLVER", "nonsense", 1);
            std::exit(mode() == resolver_mode::ares ? 0 : 10);
        },
        testing::ExitedWithCode(0),
        "TENDRIL_RESOLVER=nonsense is not valid: ares, thread or block");
}

} // namespace
