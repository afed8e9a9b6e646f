// SPDX-License-Identifier: BSL-1.0
#include <tendril/socket.hpp>

#include "sys/calls.hpp"

#include <cerrno>
#include <climits>
#include <net/if.h>

namespace tendril {
inline namespace v1 {
namespace net {

namespace {

/// An option_id as setsockopt(2) takes it, for the family of one socket.
struct resolved_option {
    const char* name;
    int level;
    int number;
};

resolved_option resolve(int fd, const option_id& which) noexcept {
    int domain = AF_UNSPEC;
    socklen_t size = sizeof domain;
    if (which.name6 != nullptr &&
        sys::real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
        domain == AF_INET6) {
        return {which.name6, IPPROTO_IPV6, which.number6};
    }
    return {which.name, which.level, which.number};
}

/// 0 or an errno.
template <typename Value>
int write_option(int fd, const resolved_option& o, const Value& value) noexcept {
    return sys::real.setsockopt(fd, o.level, o.number, &value, sizeof value) == 0 ? 0 : errno;
}

template <typename Value>
int read_option(int fd, const resolved_option& o, Value& value) noexcept {
    socklen_t size = sizeof value;
    return sys::real.getsockopt(fd, o.level, o.number, &value, &size) == 0 ? 0 : errno;
}

/// A number of units that the kernel takes as an int; too many become a value that it refuses.
template <typename Duration>
int count_of(Duration value) noexcept {
    return value.count() > INT_MAX || value.count() < 0 ? -1 : static_cast<int>(value.count());
}

} // namespace

void basic_socket::option_failed(int error, const char* doing_what, const char* name) const {
    const std::string what = std::string(doing_what) + " " + name;
    fail(error, (fd_ < 0 ? what : what + " of").c_str());
}

void basic_socket::store(const option_id& which, int value) {
    const resolved_option o = resolve(fd_, which);
    if (const int error = write_option(fd_, o, value); error != 0) {
        option_failed(error, "set", o.name);
    }
}

void basic_socket::store(const option_id& which, bool value) {
    store(which, value ? 1 : 0);
}

void basic_socket::store(const option_id& which, std::chrono::seconds value) {
    store(which, count_of(value));
}

void basic_socket::store(const option_id& which, std::chrono::milliseconds value) {
    store(which, count_of(value));
}

void basic_socket::store(const option_id& which, std::optional<std::chrono::seconds> value) {
    const ::linger l{value ? 1 : 0, value ? count_of(*value) : 0};
    const int error = l.l_linger < 0 ? EINVAL : write_option(fd_, resolve(fd_, which), l);
    if (error != 0) {
        option_failed(error, "set", which.name);
    }
}

void basic_socket::store(const option_id& which, const std::string& interface) {
    const resolved_option o = resolve(fd_, which);
    ip_mreqn v4{}; // its address is not asked for when it names an interface
    v4.imr_ifindex = interface.empty() ? 0 : static_cast<int>(::if_nametoindex(interface.c_str()));
    int error = interface.empty() || v4.imr_ifindex != 0 ? 0 : errno;
    if (error == 0) {
        error = o.level == IPPROTO_IPV6 ? write_option(fd_, o, v4.imr_ifindex)
                                        : write_option(fd_, o, v4);
    }
    if (error != 0) {
        option_failed(error, "set", o.name);
    }
}

void basic_socket::load(const option_id& which, int& value) const {
    const resolved_option o = resolve(fd_, which);
    if (const int error = read_option(fd_, o, value); error != 0) {
        option_failed(error, "get", o.name);
    }
}

void basic_socket::load(const option_id& which, bool& value) const {
    int number = 0;
    load(which, number);
    value = number != 0;
}

void basic_socket::load(const option_id& which, std::chrono::seconds& value) const {
    int number = 0;
    load(which, number);
    value = std::chrono::seconds(number);
}

void basic_socket::load(const option_id& which, std::chrono::milliseconds& value) const {
    int number = 0;
    load(which, number);
    value = std::chrono::milliseconds(number);
}

void basic_socket::load(const option_id& which, std::optional<std::chrono::seconds>& value) const {
    ::linger l{};
    if (const int error = read_option(fd_, resolve(fd_, which), l); error != 0) {
        option_failed(error, "get", which.name);
    }
    value = l.l_onoff != 0 ? std::optional(std::chrono::seconds(l.l_linger)) : std::nullopt;
}

void basic_socket::load(const option_id& which, std::string& interface) const {
    const resolved_option o = resolve(fd_, which);
    int index = 0;
    // Of IPv4 the kernel tells an address, and only if one was set: ip_sockglue.c.
    const int error = fd_ < 0                   ? EBADF
                      : o.level == IPPROTO_IPV6 ? read_option(fd_, o, index)
                                                : EOPNOTSUPP;
    if (error != 0) {
        option_failed(error, "get", o.name);
    }
    char name[IF_NAMESIZE];
    const bool found = index > 0 && ::if_indextoname(static_cast<unsigned>(index), name) != nullptr;
    interface = found ? name : "";
}

} // namespace net
} // namespace v1
} // namespace tendril
