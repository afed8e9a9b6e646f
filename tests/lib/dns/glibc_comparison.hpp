// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/dns_server.hpp"

#include <gtest/gtest.h>
#include <netdb.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The same call through glibc and through us, in a private network with one set of files and
/// servers; everything that a program can see must be equal.
namespace tendril_test {

/// How hints are written in a test, and shown when it fails.
struct hints_spec {
    int flags = 0;
    int family = AF_UNSPEC;
    int type = 0;
    int protocol = 0;
    bool null = false;

    addrinfo make() const;
    std::string text() const;
};

/// Servers on 127.0.0.1:53 and 127.0.0.2:53; 127.0.0.3 refuses.
class glibc_comparison : public testing::Test {
protected:
    void SetUp() override;

    void use(const std::string& resolv_conf, const std::string& nsswitch = "hosts: files dns\n",
             const std::string& hosts = {});

    /// `count_queries`: also what the servers were asked, in order.
    void compare(const char* node, const char* service, const hints_spec& h,
                 bool count_queries = true);
    void compare_names(const char* address, std::uint16_t port, int flags, std::uint32_t scope = 0);
    void compare_host(const char* name, int family);
    void compare_host_address(const char* address);

    dns_server& first() { return *servers_[0]; }
    dns_server& second() { return *servers_[1]; }

private:
    std::vector<std::string> take_questions();
    std::vector<std::unique_ptr<dns_server>> servers_;
};

/// Names of every kind of answer, under .test.
dns_answer odd_zone(const dns_question& q);

} // namespace tendril_test
