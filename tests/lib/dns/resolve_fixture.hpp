// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/config_file.hpp"
#include "support/dns_server.hpp"

#include <tendril/dns.hpp>

#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace tendril_test {

namespace dns = tendril::dns;
using strings = std::vector<std::string>;

inline constexpr dns::options plain{.configured = false};

/// A server of our own on a free port, and files of our own, for names looked up in this process.
class resolve : public testing::Test {
protected:
    void SetUp() override {
        directory_ = testing::TempDir() + "tendril_dns_" + std::to_string(::getpid());
        ::mkdir(directory_.c_str(), 0700);
        write("nsswitch.conf", "hosts: files dns\n");
        write("hosts", "192.0.2.50 hosted.test\n");
        zone_.address("both.test", "192.0.2.1").address("both.test", "2001:db8::1");
        zone_.alias("alias.test", "both.test");
        zone_.add(ptr_record("1.2.0.192.in-addr.arpa", "both.test"));
        server_ = std::make_unique<dns_server>(zone_);
        use_server("options timeout:30\n"); // a slow machine must not make us ask again
    }

    void TearDown() override {
        ::unsetenv("TENDRIL_NAMESERVERS");
        tendril::detail::dns::set_paths({});
    }

    void write(const std::string& name, const std::string& text) {
        std::ofstream(directory_ + '/' + name) << text;
    }

    void use_server(const std::string& resolv_conf) {
        ::setenv("TENDRIL_NAMESERVERS", server_->endpoint().c_str(), 1);
        write("resolv.conf", resolv_conf);
        tendril::detail::dns::config_paths p;
        p.resolv_conf = directory_ + "/resolv.conf";
        p.hosts = directory_ + "/hosts";
        p.nsswitch = directory_ + "/nsswitch.conf";
        tendril::detail::dns::set_paths(p);
    }

    static strings texts(const dns::result& r) {
        strings out;
        for (const dns::address& a : r) {
            out.push_back(a.text());
        }
        std::sort(out.begin(), out.end()); // what is best depends on the machine
        return out;
    }

    static int error_of(const std::string& name, const dns::options& how = plain) {
        try {
            dns::resolve(name, "80", how);
        } catch (const std::system_error& e) {
            const bool ours = e.code().category() == dns::error_category();
            EXPECT_NE(std::string::npos, std::string(e.what()).find("resolve " + name)) << e.what();
            return ours ? e.code().value() : 1000 + e.code().value();
        }
        return 0;
    }

    std::string directory_;
    dns_zone zone_;
    std::unique_ptr<dns_server> server_;
};

} // namespace tendril_test
