// SPDX-License-Identifier: BSL-1.0
#include "api/net_support.hpp"

#include "dns/netdb.hpp"
#include "hub/cancellation.hpp"

#include <tendril/transfer_error.hpp>
#include <tendril/unix_address.hpp>

#include <cerrno>

namespace tendril {
inline namespace v1 {
namespace net {

void fail(int error, const std::string& doing) {
    if (error == ECANCELED) {
        detail::throw_given_up(doing);
    }
    throw std::system_error(error, std::system_category(), doing);
}

void throw_transfer(int error, const std::string& doing, std::size_t transferred) {
    if (error == ECANCELED) {
        detail::throw_given_up(doing);
    }
    throw transfer_error(error, doing, transferred);
}

std::string text_of(const dns::address& address) {
    if (address.size() == 0 || address.data()->sa_family == AF_UNIX) {
        return unix_address(address).text();
    }
    return address.text();
}

address_list resolve(const std::string& host, const endpoint& whole, const addrinfo& hints,
                     deadline limit, const char* what) {
    detail::netdb::options o;
    o.deadline = limit.at();
    addrinfo* list = nullptr;
    const int code = detail::netdb::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                                whole.service().c_str(), &hints, &list, o);
    if (code == EAI_SYSTEM) {
        fail(errno, std::string(what) + ' ' + whole.text());
    }
    if (code != 0) {
        throw std::system_error(code, dns::error_category(),
                                std::string(what) + ' ' + whole.text());
    }
    return {list, [](addrinfo* l) { detail::netdb::freeaddrinfo(l); }};
}

} // namespace net
} // namespace v1
} // namespace tendril
