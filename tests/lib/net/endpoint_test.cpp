// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <tendril/net.hpp>

#include <ostream>
#include <string>

namespace {

using tendril::net::endpoint;

struct form {
    const char* text;
    const char* host;
    const char* service;
    int port;
};

void PrintTo(const form& f, std::ostream* out) {
    *out << f.text;
}

class Endpoint : public testing::TestWithParam<form> {};

TEST_P(Endpoint, KeepsItsParts) {
    const endpoint e(GetParam().text);
    EXPECT_EQ(GetParam().host, e.host());
    EXPECT_EQ(GetParam().service, e.service());
    EXPECT_EQ(GetParam().port, e.port());
    EXPECT_EQ(GetParam().text, e.text());
}

INSTANTIATE_TEST_SUITE_P(Forms, Endpoint,
                         testing::Values(form{"127.0.0.1:80", "127.0.0.1", "80", 80},
                                         form{"[::1]:80", "::1", "80", 80},
                                         form{"[fe80::1%eth0]:443", "fe80::1%eth0", "443", 443},
                                         form{"example.org:https", "example.org", "https", 0},
                                         form{":8080", "", "8080", 8080}, form{"h:0", "h", "0", 0},
                                         form{"h:65535", "h", "65535", 65535}));

std::string complaint(const std::string& text) {
    try {
        endpoint e(text);
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    return "none";
}

TEST(EndpointErrors, SayWhatIsWrong) {
    EXPECT_EQ("endpoint \"localhost\": no port; write \"host:port\"", complaint("localhost"));
    EXPECT_EQ("endpoint \"\": no port; write \"host:port\"", complaint(""));
    EXPECT_EQ("endpoint \"localhost:\": no port; write \"host:port\"", complaint("localhost:"));
    EXPECT_EQ("endpoint \"::1:80\": more than one colon; write an IPv6 address as \"[::1]:port\"",
              complaint("::1:80"));
    EXPECT_EQ("endpoint \"[::1]\": no port; write \"[::1]:port\"", complaint("[::1]"));
    EXPECT_EQ("endpoint \"[::1]80\": no port; write \"[::1]:port\"", complaint("[::1]80"));
    EXPECT_EQ("endpoint \"[::1:80\": no ] after the address", complaint("[::1:80"));
    EXPECT_EQ("endpoint \"[]:80\": no address in the brackets", complaint("[]:80"));
    EXPECT_EQ("endpoint \"h:65536\": there is no port 65536; they end at 65535",
              complaint("h:65536"));
    EXPECT_EQ("endpoint \"h:999999999999999999999\": there is no port 999999999999999999999; they "
              "end at 65535",
              complaint("h:999999999999999999999"));
    EXPECT_EQ("endpoint \"a\": a null byte follows", complaint(std::string("a\0:80", 5)));
}

} // namespace
