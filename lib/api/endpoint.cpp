// SPDX-License-Identifier: BSL-1.0
#include <tendril/endpoint.hpp>

#include <algorithm>
#include <stdexcept>

namespace tendril {
inline namespace v1 {
namespace net {

namespace {

[[noreturn]] void fail(const std::string& text, const std::string& why) {
    throw std::invalid_argument("endpoint \"" + text + "\": " + why);
}

bool is_number(const std::string& text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void check_service(const std::string& text, const std::string& service) {
    if (service.empty()) {
        fail(text, "no port; write \"host:port\"");
    }
    if (is_number(service) && (service.size() > 5 || std::stoul(service) > 65535)) {
        fail(text, "there is no port " + service + "; they end at 65535");
    }
}

} // namespace

endpoint::endpoint(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
        fail(text.substr(0, text.find('\0')), "a null byte follows");
    }
    std::size_t colon;
    if (!text.empty() && text[0] == '[') {
        const std::size_t bracket = text.find(']');
        if (bracket == std::string::npos) {
            fail(text, "no ] after the address");
        }
        host_ = text.substr(1, bracket - 1);
        colon = bracket + 1;
        if (host_.empty()) {
            fail(text, "no address in the brackets");
        }
        if (colon == text.size() || text[colon] != ':') {
            fail(text, "no port; write \"[" + host_ + "]:port\"");
        }
    } else {
        colon = text.find(':');
        if (colon == std::string::npos) {
            fail(text, "no port; write \"host:port\"");
        }
        if (text.find(':', colon + 1) != std::string::npos) {
            fail(text, "more than one colon; write an IPv6 address as \"[::1]:port\"");
        }
        host_ = text.substr(0, colon);
    }
    service_ = text.substr(colon + 1);
    check_service(text, service_);
}

endpoint::endpoint(const dns::address& address)
    : host_(address.host())
    , service_(std::to_string(address.port())) {}

std::uint16_t endpoint::port() const noexcept {
    std::size_t number = 0;
    for (const char c : service_) {
        number = c >= '0' && c <= '9' ? number * 10 + static_cast<std::size_t>(c - '0') : 65536;
        if (number > 65535) {
            return 0;
        }
    }
    return static_cast<std::uint16_t>(number);
}

std::string endpoint::text() const {
    const bool ipv6 = host_.find(':') != std::string::npos;
    return (ipv6 ? '[' + host_ + ']' : host_) + ':' + service_;
}

} // namespace net
} // namespace v1
} // namespace tendril
