// SPDX-License-Identifier: BSL-1.0
#include <tendril/dns.hpp>

#include "dns/netdb.hpp"
#include "hub/cancellation.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace tendril {
inline namespace v1 {
namespace dns {

namespace {

class address_info_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "getaddrinfo"; }
    std::string message(int code) const override { return gai_strerror(code); }
};

[[noreturn]] void fail(int code, int error, const std::string& doing) {
    if (code == EAI_SYSTEM) {
        if (error == ECANCELED) {
            detail::throw_given_up(doing);
        }
        throw std::system_error(error, std::system_category(), doing);
    }
    throw std::system_error(code, error_category(), doing);
}

int family_number(dns::family f) noexcept {
    switch (f) {
    case family::ipv4:
        return AF_INET;
    case family::ipv6:
        return AF_INET6;
    case family::any:
        break;
    }
    return AF_UNSPEC;
}

addrinfo make_hints(const options& how, bool has_host) noexcept {
    addrinfo hints{};
    const bool tcp = how.transport == transport::tcp;
    hints.ai_family = family_number(how.family);
    hints.ai_socktype = tcp ? SOCK_STREAM : SOCK_DGRAM;
    hints.ai_protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
    hints.ai_flags |= how.numeric ? AI_NUMERICHOST : 0;
    hints.ai_flags |= how.passive ? AI_PASSIVE : 0;
    hints.ai_flags |= how.configured && has_host ? AI_ADDRCONFIG : 0;
    hints.ai_flags |= how.canonical && has_host ? AI_CANONNAME : 0;
    return hints;
}

} // namespace

address::address(const sockaddr* data, socklen_t size) noexcept
    : size_(std::min<socklen_t>(size, sizeof storage_)) {
    std::memcpy(&storage_, data, size_);
}

dns::family address::family() const noexcept {
    switch (storage_.ss_family) {
    case AF_INET:
        return family::ipv4;
    case AF_INET6:
        return family::ipv6;
    default:
        return family::any;
    }
}

std::uint16_t address::port() const noexcept {
    sockaddr_in v4; // at the same place in both families
    std::memcpy(&v4, &storage_, sizeof v4);
    return family() == family::any ? std::uint16_t{0} : ntohs(v4.sin_port);
}

std::string address::host() const {
    char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE] = "";
    if (family() != family::any) {
        detail::netdb::options o;
        detail::netdb::getnameinfo(data(), size_, text, sizeof text, nullptr, 0, NI_NUMERICHOST, o);
    }
    return text;
}

std::string address::text() const {
    const std::string port_text = ':' + std::to_string(port());
    return family() == family::ipv6 ? '[' + host() + ']' + port_text : host() + port_text;
}

bool operator==(const address& a, const address& b) noexcept {
    return a.size_ == b.size_ && std::memcmp(&a.storage_, &b.storage_, a.size_) == 0;
}

result resolve(const std::string& host, const std::string& service, const options& how) {
    const addrinfo hints = make_hints(how, !host.empty());
    detail::netdb::options o;
    o.deadline = how.deadline;
    addrinfo* list = nullptr;
    const char* const port = service.empty() ? "0" : service.c_str();
    const int code =
        detail::netdb::getaddrinfo(host.empty() ? nullptr : host.c_str(), port, &hints, &list, o);
    if (code != 0) {
        const int error = errno;
        fail(code, error, "resolve " + host + (service.empty() ? "" : ':' + service));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> release(
        list, [](addrinfo* l) { detail::netdb::freeaddrinfo(l); });
    result out;
    for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
        out.addresses.emplace_back(a->ai_addr, a->ai_addrlen);
    }
    if (list->ai_canonname != nullptr) {
        out.canonical = list->ai_canonname;
    }
    return out;
}

std::string reverse(const address& of, deadline until) {
    detail::netdb::options o;
    o.deadline = until;
    char name[NI_MAXHOST];
    const int code = detail::netdb::getnameinfo(of.data(), of.size(), name, sizeof name, nullptr, 0,
                                                NI_NAMEREQD, o);
    if (code != 0) {
        const int error = errno;
        fail(code, error, "reverse " + of.host());
    }
    return name;
}

const std::error_category& error_category() noexcept {
    static const address_info_category category;
    return category;
}

} // namespace dns
} // namespace v1
} // namespace tendril
